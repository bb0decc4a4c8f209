/* System calls of user mode: from a number to what is done, with counters and traces. The calls that Isomer takes part in
 * are in calls_*.c, the others go through pass.c. */
#include <errno.h>
#include <string.h>

#include "user/call.h"

const struct user_abi *user_abi_find(const char *isa) {
  for (const struct user_abi *const *a = user_abis; *a; a++)
    if (!strcmp((*a)->isa, isa)) return *a;
  return NULL;
}

const struct call_info *user_call_info(const struct user_abi *abi, uint64_t nr) {
  const uint16_t call = nr < abi->numbers ? abi->call[nr] : CALL_NO;
  return call ? &user_calls[call] : NULL;
}

static void count_unknown(struct user_unknown *list, uint64_t nr) {
  for (unsigned i = 0; i < USER_UNKNOWN; i++) {
    uint64_t none = 0;
    if (__atomic_load_n(&list[i].key, __ATOMIC_RELAXED) != nr + 1 &&
        !__atomic_compare_exchange_n(&list[i].key, &none, nr + 1, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED) &&
        none != nr + 1)
      continue;
    __atomic_add_fetch(&list[i].count, 1, __ATOMIC_RELAXED);
    return;
  }
}

void user_unknown_ioctl(struct user_thread *t, uint32_t request) {
  count_unknown(t->process->unknown_ioctl, request);
}

/* An old call as the one that it means. */
static int64_t execute(struct user_thread *t, const struct call_info *c, const uint64_t arg[6]) {
  if (c->via) {
    uint64_t to[6] = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(to); i++)
      to[i] = c->to[i].arg ? arg[c->to[i].arg - 1] : (uint64_t)(int64_t)c->to[i].value;
    return execute(t, &user_calls[c->via], to);
  }
  if (c->error) return -(int64_t)c->error;
  return c->fn ? c->fn(t, arg) : user_pass(t, c, arg);
}

int64_t user_call(struct user_thread *t, uint64_t nr, const uint64_t raw[6]) {
  struct user_process *p = t->process;
  const struct call_info *c = user_call_info(p->abi, nr);
  struct strace line;
  uint64_t arg[6];
  memcpy(arg, raw, sizeof arg);
  if (c && p->abi->order && p->abi->order[c - user_calls][0])
    for (unsigned i = 0; i < c->nargs; i++) arg[i] = raw[p->abi->order[c - user_calls][i] - 1];
  if (unlikely(p->strace)) strace_enter(&line, t, c, nr, arg);
  int64_t r;
  if (c && !(c->flags & CALL_NONE)) {
    r = execute(t, c, arg);
    if (r != USER_RESTART) __atomic_add_fetch(&p->count[c - user_calls].calls, 1, __ATOMIC_RELAXED);
    if (r < 0 && r > USER_RESTART) __atomic_add_fetch(&p->count[c - user_calls].errors, 1, __ATOMIC_RELAXED);
  } else {
    count_unknown(p->unknown, nr);
    r = -ENOSYS;
  }
  if (unlikely(p->strace)) strace_leave(&line, t, c, arg, r);
  return r;
}

/* --- for --stats --- */

bool user_counted_call(const struct user_process *p, unsigned *index, const char **name, uint64_t *calls,
                       uint64_t *errors) {
  for (; *index < CALLS; ++*index) {
    const struct user_count *n = &p->count[*index];
    if (!n->calls) continue;
    *name = user_calls[*index].name, *calls = n->calls, *errors = n->errors;
    ++*index;
    return true;
  }
  return false;
}

bool user_unknown_call(const struct user_process *p, unsigned index, uint64_t *nr, const char **name,
                       uint64_t *count) {
  if (index >= USER_UNKNOWN || !p->unknown[index].key) return false;
  *nr = p->unknown[index].key - 1;
  *count = p->unknown[index].count;
  const struct call_info *c = user_call_info(p->abi, *nr);
  *name = c ? c->name : NULL;
  return true;
}

bool user_unknown_request(const struct user_process *p, unsigned index, uint32_t *request, uint64_t *count) {
  if (index >= USER_UNKNOWN || !p->unknown_ioctl[index].key) return false;
  *request = (uint32_t)(p->unknown_ioctl[index].key - 1);
  *count = p->unknown_ioctl[index].count;
  return true;
}
