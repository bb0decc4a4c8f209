/* Samples of a guest's call stacks, counted by their text. */
#include "debug/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/isa.h"
#include "core/log.h"
#include "core/symbols.h"
#include "mem/space.h"
#include "mem/tlb.h"

enum {
  NAME = 120,          /* bytes of one frame's name */
  REACH = 1 << 20,     /* bytes of stack between two frames at most */
  MAX_STACKS = 1 << 16 /* different ones; more are counted together */
};

struct stack {
  uint64_t hash, count;
  char *text; /* NULL: unused */
};

struct profile {
  pthread_mutex_t lock;
  int fd;
  uint32_t random;
  size_t n, room; /* a power of two */
  struct stack *stack;
  uint64_t other;
  char root[NAME];
};

/* ---- the table ---- */

static uint64_t hash(const char *text) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (; *text; text++) h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
  return h;
}

static struct stack *slot(struct stack *table, size_t room, const char *text, uint64_t h) {
  size_t i = h & (room - 1);
  while (table[i].text && (table[i].hash != h || strcmp(table[i].text, text))) i = (i + 1) & (room - 1);
  return &table[i];
}

static bool grow(struct profile *p) {
  const size_t room = p->room ? 2 * p->room : 256;
  struct stack *table = calloc(room, sizeof *table);
  if (!table) return false;
  for (size_t i = 0; i < p->room; i++)
    if (p->stack[i].text) *slot(table, room, p->stack[i].text, p->stack[i].hash) = p->stack[i];
  free(p->stack);
  p->stack = table;
  p->room = room;
  return true;
}

static void count(struct profile *p, const char *text) {
  const uint64_t h = hash(text);
  struct stack *s = p->room ? slot(p->stack, p->room, text, h) : NULL;
  if (!s || !s->text) {
    if (2 * (p->n + 1) > p->room && (p->n == MAX_STACKS || !grow(p))) {
      p->other++;
      return;
    }
    s = slot(p->stack, p->room, text, h);
    s->text = strdup(text);
    s->hash = h;
    p->n += s->text != NULL;
  }
  if (s->text) s->count++;
  else p->other++;
}

static void empty(struct profile *p) {
  for (size_t i = 0; i < p->room; i++) free(p->stack[i].text);
  free(p->stack);
  p->stack = NULL;
  p->n = p->room = 0;
  p->other = 0;
}

/* ---- stacks ---- */

static uint64_t word(const struct vcpu *v, uint32_t offset) {
  uint64_t x;
  memcpy(&x, (const char *)v + offset, sizeof x);
  return x;
}

/* Two words of the guest's stack without any effect on the guest: no walk, no fault, no device. */
static bool look(struct vcpu *v, gva_t a, uint64_t *x) {
  if (a & 7) return false;
  if (v->c->space) return !space_read(v->c->space, a, x, sizeof *x);
  const struct tlb_entry *e = &v->tlb->l1[(a >> GUEST_PAGE_BITS) & ((1u << TLB_BITS) - 1)];
  if (!v->tag_data || e->tag[ACCESS_READ] != ((a & GUEST_PAGE_MASK) | v->tag_data)) return false;
  memcpy(x, (const void *)(uintptr_t)(a + e->addend), sizeof *x);
  return true;
}

/* The caller of a function that has no frame (or none yet): 1 when there seems to be one. */
static unsigned innermost(struct vcpu *v, const struct arch_frames *f, gva_t sp, gva_t *at,
                          char (*name)[NAME]) {
  const struct machine *m = v->c->machine;
  uint64_t distance = 0;
  if (f->link) {
    *at = word(v, f->link);
    if (!*at || !symbols_find(m, *at - 1, name[1], NAME, &distance)) return 0;
  } else if (!look(v, sp, at) || !*at || !symbols_find(m, *at, name[1], NAME, &distance) || !distance) {
    return 0; /* the address of a function is a value of the program's */
  }
  return strcmp(name[0], name[1]) != 0; /* one in the function itself is of a call it made before */
}

/* Who called, from the inside out. The number; return addresses that lie in no known code end it. */
static unsigned callers(struct vcpu *v, gva_t *at, unsigned max, char (*name)[NAME]) {
  const struct machine *m = v->c->machine;
  const struct arch_frames *f = v->c->isa->arch->frames;
  uint64_t distance;
  unsigned n = 0;
  if (!f) return 0;
  gva_t fp = word(v, f->fp), low = word(v, f->sp);
  n = innermost(v, f, low, at, name);
  bool first = true;
  while (n < max) {
    uint64_t next, pc;
    if (fp < low || fp - low > REACH || !look(v, fp + (uint64_t)f->saved_fp, &next) ||
        !look(v, fp + (uint64_t)f->saved_pc, &pc) || !pc)
      break;
    if (!symbols_find(m, pc - 1, name[n + 1], NAME, &distance)) {
      /* A function that calls nothing may have saved the frame pointer alone, where the return address would be. */
      if (!first || !f->link || pc <= fp || pc - fp > REACH) break;
      first = false;
      low = fp + 1;
      fp = pc;
      continue;
    }
    first = false;
    if (n != 1 || pc != at[0]) at[n++] = pc; /* the frame may tell of the innermost call once more */
    low = fp + 1;
    fp = next;
  }
  return n;
}

static void append(char *text, size_t size, const char *name) {
  size_t at = strlen(text);
  if (at && at + 1 < size) text[at++] = ';';
  for (; *name && at + 1 < size; name++)
    text[at++] = *name == ';' || (unsigned char)*name < ' ' ? ':' : *name; /* what the format needs */
  text[at] = 0;
}

static void sample(struct vcpu *v) {
  const struct machine *m = v->c->machine;
  struct profile *p = m->profile;
  char name[PROFILE_DEPTH + 1][NAME], text[(PROFILE_DEPTH + 2) * NAME];
  gva_t at[PROFILE_DEPTH];
  uint64_t distance;
  text[0] = 0;
  append(text, sizeof text, p->root);
  const bool known = symbols_find(m, v->pc, name[0], NAME, &distance);
  if (!known) snprintf(name[0], NAME, "[0x%" PRIx64 "]", v->pc & GUEST_PAGE_MASK);
  for (unsigned i = callers(v, at, PROFILE_DEPTH, name); i; i--) append(text, sizeof text, name[i]);
  append(text, sizeof text, name[0]);
  pthread_mutex_lock(&p->lock);
  count(p, text);
  p->random ^= p->random << 13; /* xorshift32 */
  p->random ^= p->random >> 17;
  p->random ^= p->random << 5;
  v->c->sample_at = vcpu_retired(v) + PROFILE_PERIOD / 2 + p->random % PROFILE_PERIOD;
  pthread_mutex_unlock(&p->lock);
}

/* ---- life ---- */

int profile_open(struct machine *m, const char *file, const char *root, char *why, size_t n) {
  const bool more = *file == '+';
  struct profile *p = calloc(1, sizeof *p);
  if (!p) return err_set(why, n, -ENOMEM, "out of memory");
  const char *slash = strrchr(root, '/');
  pthread_mutex_init(&p->lock, NULL);
  p->random = 1;
  append(p->root, sizeof p->root, slash ? slash + 1 : root);
  p->fd = open(file + more, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (more ? 0 : O_TRUNC), 0666);
  if (p->fd < 0) {
    const int e = errno;
    free(p);
    return err_set(why, n, -e, "%s: %s", file + more, strerror(e));
  }
  m->profile = p;
  return 0;
}

int profile_fd(const struct machine *m) { return m->profile->fd; }
void profile_use_fd(struct machine *m, int fd) { m->profile->fd = fd; }

void profile_attach(struct vcpu *v, const struct machine *m) {
  if (!m->profile) return;
  v->c->sample = sample;
  v->c->sample_at = vcpu_retired(v) + PROFILE_PERIOD;
}

/* One write, so that the lines of several processes do not mix. */
int profile_write(struct machine *m) {
  struct profile *p = m->profile;
  char *text = NULL;
  size_t size = 0;
  int rc = 0;
  if (!p) return 0;
  pthread_mutex_lock(&p->lock);
  FILE *out = open_memstream(&text, &size);
  for (size_t i = 0; out && i < p->room; i++)
    if (p->stack[i].text) fprintf(out, "%s %" PRIu64 "\n", p->stack[i].text, p->stack[i].count);
  if (out && p->other) fprintf(out, "%s;[other] %" PRIu64 "\n", p->root, p->other);
  if (!out || fclose(out)) rc = -ENOMEM;
  for (size_t done = 0; !rc && done < size;) {
    ssize_t r = write(p->fd, text + done, size - done);
    if (r < 0 && errno != EINTR) rc = -errno;
    if (r > 0) done += (size_t)r;
  }
  free(text);
  empty(p);
  pthread_mutex_unlock(&p->lock);
  return rc;
}

void profile_fork(struct machine *m, bool before, bool child) {
  struct profile *p = m->profile;
  if (!p) return;
  if (before) {
    pthread_mutex_lock(&p->lock);
    return;
  }
  if (child) empty(p);
  pthread_mutex_unlock(&p->lock);
}

void profile_free(struct machine *m) {
  struct profile *p = m->profile;
  if (!p) return;
  empty(p);
  close(p->fd);
  free(p);
  m->profile = NULL;
}
