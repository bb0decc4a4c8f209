/* System V shared memory in the program's address space: a segment lies over a mapping that was made to hold its place. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "user/call.h"

struct segment {
  struct segment *next;
  gva_t at;
  uint64_t size;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a process has one address space */

void user_shm_fork(bool before) {
  if (before) pthread_mutex_lock(&lock);
  else pthread_mutex_unlock(&lock);
}
static struct segment *segments;

int64_t call_shmat(struct user_thread *t, const uint64_t arg[6]) {
  struct space *s = t->process->space;
  const int flags = (int)arg[2];
  struct shmid_ds ds;
  gva_t want = arg[1];
  int64_t r = HOST(t, shmctl, arg[0], IPC_STAT, (uint64_t)&ds);
  if (r < 0) return r;
  if (flags & SHM_RND) want &= GUEST_PAGE_MASK;
  if (want & ~GUEST_PAGE_MASK || (!want && flags & SHM_REMAP)) return -EINVAL;
  struct segment *new = malloc(sizeof *new);
  if (!new) return -ENOMEM;
  new->size = (ds.shm_segsz + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;
  const int prot = flags & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  const int place = !want ? 0 : flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  pthread_mutex_lock(&lock);
  r = space_map(s, want, new->size, prot, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | place, -1, 0);
  if (r == -EEXIST) r = -EINVAL;
  if (r >= 0) {
    new->at = (gva_t)r;
    r = HOST(t, shmat, arg[0], new->at, (uint64_t)((flags & (SHM_RDONLY | SHM_EXEC)) | SHM_REMAP));
    if (r < 0) space_unmap(s, new->at, new->size);
  }
  if (r >= 0) {
    new->next = segments;
    segments = new;
  } else {
    free(new);
  }
  pthread_mutex_unlock(&lock);
  return r;
}

int64_t call_shmdt(struct user_thread *t, const uint64_t arg[6]) {
  int r = -EINVAL;
  pthread_mutex_lock(&lock);
  for (struct segment **p = &segments; *p; p = &(*p)->next) {
    struct segment *s = *p;
    if (s->at != arg[0]) continue;
    r = space_unmap(t->process->space, s->at, s->size); /* detaches */
    *p = s->next;
    free(s);
    break;
  }
  pthread_mutex_unlock(&lock);
  return r;
}
