/* Makes the host's kernel do a system call as its row of the table says: descriptors of our own hidden, pointers checked,
 * paths looked up, structures and sets of flags translated. A pointer that the kernel gets is null, inside the program's
 * address space, or a copy of ours: what other threads do in the meantime can hurt only the program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "mem/space.h"
#include "user/call.h"
#include "user/path.h"

enum { LARGEST = 256 }; /* of the structs that are translated */
enum { ADDRESS_MAX = 128 };
struct pass {
  struct user_thread *t;
  const struct call_info *c;
  const uint64_t *guest;
  uint64_t host[6];
  unsigned paths;
  struct user_path path[2];
  uint64_t translated[LARGEST / 8];
  char string[PATH_MAX];
  struct iovec iov[USER_IOV_MAX];
};

uint64_t user_set_to_host(const struct user_abi *abi, unsigned set, uint64_t v) {
  const struct set_map *m = &abi->sets[set];
  uint64_t out = v;
  for (unsigned i = 0; i < m->n; i++) out &= ~m->pair[i].guest;
  for (unsigned i = 0; i < m->n; i++)
    if (v & m->pair[i].guest) out |= m->pair[i].host;
  return out;
}

uint64_t user_set_to_guest(const struct user_abi *abi, unsigned set, uint64_t v) {
  const struct set_map *m = &abi->sets[set];
  uint64_t out = v;
  for (unsigned i = 0; i < m->n; i++) out &= ~m->pair[i].host;
  for (unsigned i = 0; i < m->n; i++)
    if (v & m->pair[i].host) out |= m->pair[i].guest;
  return out;
}

unsigned user_struct_size(const struct user_abi *abi, unsigned type) {
  return abi->layouts[type].size ? abi->layouts[type].size : user_structs[type].size;
}

/* Hosts and guests are little-endian, members unsigned. */
static void move(uint8_t *to, struct member at, const uint8_t *from, struct member of) {
  uint64_t value = 0;
  memcpy(&value, from + of.off, of.width);
  memcpy(to + at.off, &value, at.width);
}

int user_struct_read(struct user_thread *t, unsigned type, gva_t from, void *host) {
  const struct layout *l = &t->process->abi->layouts[type];
  const struct struct_info *s = &user_structs[type];
  uint8_t buf[LARGEST];
  if (!l->size) return space_read(t->process->space, from, host, s->size);
  int r = space_read(t->process->space, from, buf, l->size);
  if (r) return r;
  memset(host, 0, s->size);
  for (unsigned i = 0; i < s->nmembers; i++) move(host, s->host[i], buf, l->member[i]);
  return 0;
}

int user_struct_write(struct user_thread *t, unsigned type, gva_t to, const void *host) {
  const struct layout *l = &t->process->abi->layouts[type];
  const struct struct_info *s = &user_structs[type];
  uint8_t buf[LARGEST] = {0};
  if (!l->size) return space_write(t->process->space, to, host, s->size);
  for (unsigned i = 0; i < s->nmembers; i++) move(buf, l->member[i], host, s->host[i]);
  return space_write(t->process->space, to, buf, l->size);
}

int user_touch(struct user_thread *t, gva_t va, uint64_t n, unsigned dir) {
  struct space *s = t->process->space;
  if (!va || !n) return 0;
  if (dir & ARG_OUT) return space_kernel_writes(s, va, n);
  return space_holds(s, va, n) ? 0 : -EFAULT;
}

uint64_t user_pointer(struct user_thread *t, gva_t va, uint64_t n, unsigned dir) {
  /* Nobody has memory below the program's: the kernel finds that out when it comes to it. */
  if (!user_touch(t, va, n, dir) || (va < USER_START && n <= USER_END - va)) return va;
  return USER_NOWHERE;
}

int user_iovec(struct user_thread *t, gva_t from, uint64_t n, unsigned dir, struct iovec *out) {
  int r = space_read(t->process->space, from, out, n * sizeof *out);
  for (uint64_t i = 0; !r && i < n; i++)
    out[i].iov_base = (void *)user_pointer(t, (gva_t)out[i].iov_base, out[i].iov_len, dir);
  return r;
}

/* How many elements the pointer `a` has. What the kernel takes for a negative number it refuses before it looks. */
static uint64_t elements(const struct pass *p, const struct arg_info *a) {
  int32_t at;
  if (!a->len) return a->n;
  const struct arg_info *l = &p->c->arg[a->len - 1];
  const uint64_t v = p->guest[a->len - 1];
  if (a->len_ptr) { /* read by the kernel once more: what it may write has this bound */
    if (space_read(p->t->process->space, v, &at, sizeof at) || at < ADDRESS_MAX) return ADDRESS_MAX;
    return (uint64_t)at;
  }
  if (l->kind == ARG_INT) return (int32_t)v < 0 ? 0 : (uint32_t)v;
  return l->kind == ARG_UINT ? (uint32_t)v : v;
}

static int pointer(struct pass *p, unsigned i) {
  const struct arg_info *a = &p->c->arg[i];
  const gva_t va = p->guest[i];
  const uint64_t width = a->kind == ARG_STRUCT ? user_structs[a->type].size : a->width;
  uint64_t n, bytes;
  int r;
  if (!va) return 0;
  n = elements(p, a);
  if (a->kind == ARG_IOVEC) {
    if (n > USER_IOV_MAX) return p->host[i] = 0; /* the kernel says what is wrong first */
    p->host[i] = user_iovec(p->t, va, n, a->dir, p->iov) ? USER_NOWHERE : (uint64_t)p->iov;
    return 0;
  }
  if (a->kind == ARG_STRUCT && p->t->process->abi->layouts[a->type].size) {
    r = a->dir & ARG_OUT ? user_touch(p->t, va, user_struct_size(p->t->process->abi, a->type), a->dir) : 0;
    if (!r && a->dir & ARG_IN) r = user_struct_read(p->t, a->type, va, p->translated);
    p->host[i] = r ? USER_NOWHERE : (uint64_t)p->translated;
    return 0;
  }
  p->host[i] =
      __builtin_mul_overflow(n, width, &bytes) ? USER_NOWHERE : user_pointer(p->t, va, bytes, a->dir);
  return 0;
}

static int path(struct pass *p, unsigned i) {
  const struct call_info *c = p->c;
  const bool at = i && c->arg[i - 1].kind == ARG_DIRFD;
  unsigned flags = at ? 0 : USER_PATH_WHOLE;
  if (!p->guest[i]) return 0; /* utimensat, statx: the descriptor itself */
  if (c->arg[i].kind != ARG_PATH) flags |= USER_PATH_NOFOLLOW;
  if (c->arg[i].kind == ARG_NEW) flags |= USER_PATH_NEW;
  for (unsigned k = i + 1; k < c->nargs; k++) {
    if (c->arg[k].kind != ARG_SET || (c->arg[k].type != SET_at && c->arg[k].type != SET_ateaccess)) continue;
    const uint64_t v = p->guest[k];
    if (v & AT_SYMLINK_NOFOLLOW) flags |= USER_PATH_NOFOLLOW;
    if (v & AT_SYMLINK_FOLLOW && c->arg[i].kind == ARG_LINK) flags &= ~USER_PATH_NOFOLLOW;
    if (v & AT_EMPTY_PATH) flags |= USER_PATH_EMPTY;
  }
  struct user_path *out = &p->path[p->paths];
  p->host[i] = USER_NOWHERE;
  int r = user_path(p->t, at ? (int)p->host[i - 1] : AT_FDCWD, p->guest[i], flags, out);
  if (r) return r == -EFAULT ? 0 : r;
  p->paths++;
  if (at) p->host[i - 1] = (uint64_t)(int64_t)out->dir;
  p->host[i] = (uint64_t)out->name;
  return 0;
}

static int prepare(struct pass *p, unsigned i) {
  const struct arg_info *a = &p->c->arg[i];
  int64_t n;
  p->host[i] = p->guest[i];
  switch (a->kind) {
  case ARG_SET: p->host[i] = user_set_to_host(p->t->process->abi, a->type, p->guest[i]); return 0;
  case ARG_FD:
  case ARG_DIRFD: p->host[i] = (uint64_t)(int64_t)user_fd(p->t, p->guest[i]); return 0;
  case ARG_PATH:
  case ARG_LINK:
  case ARG_NEW: return path(p, i);
  case ARG_STRING:
    if (!p->guest[i]) return 0;
    n = space_string(p->t->process->space, p->guest[i], p->string, sizeof p->string);
    p->host[i] = n == -EFAULT ? USER_NOWHERE : (uint64_t)p->string;
    return n < 0 && n != -EFAULT ? (int)n : 0;
  case ARG_MEM:
  case ARG_STRUCT:
  case ARG_IOVEC: return pointer(p, i);
  default: return 0;
  }
}

/* The kernel could not write although the program may: a page has become code since it was looked at. A call that failed for
 * another reason must not be made again, it may have taken something already. */
static bool became_code(const struct pass *p) {
  bool writes = false;
  for (unsigned i = 0; i < p->c->nargs; i++) {
    const struct arg_info *a = &p->c->arg[i];
    if (!(a->dir & ARG_OUT) || !p->guest[i] || p->host[i] == (uint64_t)p->translated) continue;
    const uint64_t n = elements(p, a);
    writes = true;
    for (uint64_t k = 0; k < (a->kind == ARG_IOVEC ? n : 1); k++) {
      const struct iovec one = {(void *)p->host[i],
                                n * (a->kind == ARG_STRUCT ? user_structs[a->type].size : a->width)};
      const struct iovec *v = a->kind == ARG_IOVEC ? &p->iov[k] : &one;
      if (p->host[i] == USER_NOWHERE ||
          !space_allowed(p->t->process->space, (gva_t)v->iov_base, v->iov_len, SPACE_W))
        return false;
    }
  }
  return writes;
}

int64_t user_pass(struct user_thread *t, const struct call_info *c, const uint64_t arg[6]) {
  struct pass p;
  int64_t r = 0;
  p.t = t, p.c = c, p.guest = arg;
  if (c->host < 0) return -ENOSYS;
  for (unsigned attempt = 0; attempt < 2; attempt++) {
    p.paths = 0;
    for (unsigned i = 0; !r && i < c->nargs; i++) r = prepare(&p, i);
    for (unsigned i = c->nargs; i < ARRAY_SIZE(p.host); i++) p.host[i] = 0;
    const bool asked = !r;
    if (asked) r = user_host(t, c->host, p.host);
    for (unsigned i = 0; i < p.paths; i++) user_path_done(&p.path[i]);
    if (r != -EFAULT || !asked || attempt || !became_code(&p)) break;
    r = 0;
  }
  for (unsigned i = 0; r >= 0 && i < c->nargs; i++) {
    const struct arg_info *a = &c->arg[i];
    if (a->kind != ARG_STRUCT || !(a->dir & ARG_OUT) || !arg[i] || !t->process->abi->layouts[a->type].size)
      continue;
    int e = user_struct_write(t, a->type, arg[i], p.translated);
    if (e) r = e;
  }
  return r;
}
