/* --strace: a system call as one line, like strace(1) prints it: name(arguments) = result. How arguments look follows from
 * their kinds in the table. */
#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/call.h"

enum { TEXT = 32, ELEMENTS = 4, LAST_ERROR = 511 };

static void put(struct strace *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct strace *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(s->text + s->n, sizeof s->text - s->n, fmt, ap);
  va_end(ap);
  if (n > 0) s->n += (unsigned)n;
  if (s->n >= sizeof s->text) s->n = sizeof s->text - 1;
}

static void quoted(struct strace *s, const uint8_t *b, size_t n, bool more) {
  put(s, "\"");
  for (size_t i = 0; i < n; i++) {
    const char *at = b[i] ? strchr("\nn\tt\rr\"\"\\\\", b[i]) : NULL;
    if (at && (at - "\nn\tt\rr\"\"\\\\") % 2 == 0) put(s, "\\%c", at[1]);
    else if (isprint(b[i])) put(s, "%c", b[i]);
    else put(s, i + 1 < n && isdigit(b[i + 1]) ? "\\%03o" : "\\%o", b[i]);
  }
  put(s, more ? "\"..." : "\"");
}

static void string(struct strace *s, struct user_thread *t, gva_t va) {
  char text[PATH_MAX];
  int64_t n = va ? space_string(t->process->space, va, text, sizeof text) : -1;
  if (!va) put(s, "NULL");
  else if (n < 0) put(s, "%#" PRIx64, va);
  else quoted(s, (const uint8_t *)text, (size_t)n, false);
}

static void set(struct strace *s, const struct user_abi *abi, unsigned which, uint64_t guest) {
  const struct set_info *info = &user_sets[which];
  uint64_t v = user_set_to_host(abi, which, (uint32_t)guest), left = v;
  bool first = true;
  for (unsigned i = 0; i < info->n; i++) {
    const struct set_value *b = &info->value[i];
    const bool one = b->mask == ~UINT64_C(0);
    /* Single bits only while they are not yet named; alternatives by their mask. */
    if (b->mask == b->value ? !b->value || (left & b->value) != b->value
                            : (v & b->mask) != (one ? b->value : b->value & b->mask))
      continue;
    put(s, "%s%s", first ? "" : "|", b->name);
    first = false;
    left &= one ? 0 : ~b->mask;
    if (one) break;
  }
  if (first) put(s, left > 9 ? "%#" PRIx64 : "%" PRIu64, left);
  else if (left) put(s, "|%#" PRIx64, left);
}

static void shown(struct strace *s, const struct struct_info *info, const uint8_t *host) {
  put(s, "{");
  for (unsigned i = 0; i < info->nshown; i++) {
    const struct shown *m = &info->shown[i];
    uint64_t v = 0;
    memcpy(&v, host + m->host.off, m->host.width > 8 ? 8 : m->host.width);
    if (m->host.width == 4 && !strstr(m->name, "mode") && !strstr(m->name, "flag")) v = (uint64_t)(int32_t)v;
    if (strstr(m->name, "mode")) put(s, "%s%s=0%" PRIo64, i ? ", " : "", m->name, v);
    else if (strstr(m->name, "flag") || strstr(m->name, "events"))
      put(s, "%s%s=%#" PRIx64, i ? ", " : "", m->name, v);
    else put(s, "%s%s=%" PRId64, i ? ", " : "", m->name, (int64_t)v);
  }
  put(s, info->nshown ? "}" : "...}");
}

/* A pointer's target: `n` elements. */
static void memory(struct strace *s, struct user_thread *t, const struct arg_info *a, gva_t va, uint64_t n,
                   bool list) {
  struct space *sp = t->process->space;
  uint8_t buf[512];
  if (!va) {
    put(s, "NULL");
  } else if (a->kind == ARG_MEM && a->width == 1) {
    const size_t part = n > TEXT ? TEXT : n;
    if (space_read(sp, va, buf, part)) put(s, "%#" PRIx64, va);
    else quoted(s, buf, part, n > part);
  } else if (a->kind == ARG_IOVEC) {
    uint64_t iov[2];
    put(s, "[");
    for (uint64_t i = 0; i < n; i++) {
      const struct arg_info bytes = {.kind = ARG_MEM, .width = 1};
      if (i) put(s, ", ");
      if (i == ELEMENTS || space_read(sp, va + i * 16, iov, sizeof iov)) {
        put(s, "...");
        break;
      }
      put(s, "{iov_base=");
      if (a->dir & ARG_OUT) put(s, "%#" PRIx64, iov[0]);
      else memory(s, t, &bytes, iov[0], iov[1], false);
      put(s, ", iov_len=%" PRIu64 "}", iov[1]);
    }
    put(s, "]");
  } else {
    const unsigned step = a->kind == ARG_STRUCT ? user_struct_size(t->process->abi, a->type) : a->width;
    if (list) put(s, "[");
    for (uint64_t i = 0; i < n; i++) {
      if (i) put(s, ", ");
      if (i == ELEMENTS) {
        put(s, "...");
        break;
      }
      memset(buf, 0, sizeof buf);
      int r = a->kind == ARG_STRUCT ? user_structs[a->type].size > sizeof buf
                                          ? -1
                                          : user_struct_read(t, a->type, va + i * step, buf)
                                    : space_read(sp, va + i * step, buf, step);
      if (r) {
        put(s, "%#" PRIx64, va);
        break;
      }
      int64_t v = 0;
      if (a->kind == ARG_STRUCT) shown(s, &user_structs[a->type], buf);
      else if (memcpy(&v, buf, step), step == 4) put(s, "%d", (int)v);
      else put(s, "%" PRId64, v);
    }
    if (list) put(s, "]");
  }
}

static void value(struct strace *s, struct user_thread *t, const struct arg_info *a, uint64_t v) {
  switch (a->kind) {
  case ARG_INT:
  case ARG_PID:
  case ARG_FD: put(s, "%d", (int)v); break;
  case ARG_DIRFD:
    if ((int)v == -100) put(s, "AT_FDCWD");
    else put(s, "%d", (int)v);
    break;
  case ARG_UINT: put(s, "%u", (unsigned)v); break;
  case ARG_LONG:
  case ARG_OFF: put(s, "%" PRId64, (int64_t)v); break;
  case ARG_ULONG:
  case ARG_SIZE: put(s, "%" PRIu64, v); break;
  case ARG_MODE: put(s, "0%03o", (unsigned)v); break;
  case ARG_SET: set(s, t->process->abi, a->type, v); break;
  case ARG_PATH:
  case ARG_LINK:
  case ARG_NEW:
  case ARG_STRING: string(s, t, v); break;
  default:
    if (a->kind == ARG_PTR && !v) put(s, "NULL");
    else put(s, v ? "%#" PRIx64 : "0", v);
  }
}

/* Elements to show: what the kernel has read or written. */
static uint64_t elements(struct user_thread *t, const struct call_info *c, const struct arg_info *a,
                         const uint64_t *arg, int64_t r) {
  int32_t at = 0;
  if (!a->len) return a->n;
  uint64_t n = arg[a->len - 1];
  if (a->len_ptr) n = n && !space_read(t->process->space, n, &at, sizeof at) && at > 0 ? (uint64_t)at : 0;
  if (a->dir == ARG_OUT && c->result == ARG_SIZE && r >= 0 && (uint64_t)r < n) n = (uint64_t)r;
  return n;
}

/* The request and its argument. */
static void request(struct strace *s, struct user_thread *t, const uint64_t *arg, int64_t r) {
  const struct ioctl_info *info = user_ioctl_info((uint32_t)arg[1]);
  put(s, ", %s", info ? info->name : "");
  if (!info) put(s, "%#x", (unsigned)arg[1]);
  if (info && info->arg.kind == ARG_VOID) return;
  put(s, ", ");
  if (info && info->arg.dir && (info->arg.dir != ARG_OUT || r >= 0))
    memory(s, t, &info->arg, arg[2], 1, info->arg.kind == ARG_MEM);
  else value(s, t, info && !info->arg.dir ? &info->arg : &(struct arg_info){.kind = ARG_PTR}, arg[2]);
}

static void arguments(struct strace *s, struct user_thread *t, const struct call_info *c, const uint64_t *arg,
                      int64_t r, bool before) {
  for (; s->done < c->nargs; s->done++) {
    const struct arg_info *a = &c->arg[s->done];
    if (before && a->dir & ARG_OUT) return;
    if (s->done && c == &user_calls[CALL_ioctl]) {
      if (before) return;
      request(s, t, arg, r);
      s->done = c->nargs;
      return;
    }
    if (s->done) put(s, ", ");
    if (!a->dir) value(s, t, a, arg[s->done]);
    else if (a->dir == ARG_OUT && r < 0) value(s, t, &(struct arg_info){.kind = ARG_PTR}, arg[s->done]);
    else memory(s, t, a, arg[s->done], elements(t, c, a, arg, r), a->len || a->n > 1);
  }
}

static void print(struct strace *s) {
  s->text[s->n < sizeof s->text - 1 ? s->n++ : s->n - 1] = '\n';
  for (unsigned at = 0; at < s->n;) {
    ssize_t w = write(STDERR_FILENO, s->text + at, s->n - at);
    if (w <= 0) return;
    at += (unsigned)w;
  }
}

void strace_enter(struct strace *s, struct user_thread *t, const struct call_info *c, uint64_t nr,
                  const uint64_t arg[6]) {
  static int alone; /* the thread that made the first call; children of the process are others */
  const int self = (int)gettid();
  s->n = s->done = 0;
  if (!alone) alone = self;
  if (user_threads(t->process) > 1 || self != alone) put(s, "[pid %d] ", self);
  if (!c) {
    put(s, "syscall_%" PRIu64 "(", nr);
    for (unsigned i = 0; i < 6; i++) put(s, "%s%#" PRIx64, i ? ", " : "", arg[i]);
    return;
  }
  put(s, "%s(", c->name);
  arguments(s, t, c, arg, 0, true);
  if (!(c->flags & CALL_NORETURN) || c->flags & CALL_NONE) return;
  struct strace now = *s; /* a second line follows if it fails */
  arguments(&now, t, c, arg, 0, false);
  put(&now, ") = ?");
  print(&now);
}

void strace_leave(struct strace *s, struct user_thread *t, const struct call_info *c, const uint64_t arg[6],
                  int64_t r) {
  if (c) arguments(s, t, c, arg, r, false);
  if (r == USER_RESTART) put(s, ") = ? ERESTARTSYS (To be restarted)");
  else if (r == USER_JUMPED) put(s, ") = ?");
  else if (r < 0 && r >= -LAST_ERROR)
    put(s, ") = -1 %s (%s)", strerrorname_np((int)-r) ? strerrorname_np((int)-r) : "errno",
        strerror((int)-r));
  else if (c && c->result == ARG_VOID) put(s, ") = ?");
  else if (c && (c->result == ARG_HEX || c->result == ARG_PTR)) put(s, ") = %#" PRIx64, (uint64_t)r);
  else if (c && c->result == ARG_MODE) put(s, ") = 0%03" PRIo64, (uint64_t)r);
  else put(s, ") = %" PRId64, r);
  print(s);
}
