/* execve: another program takes this process. Programs of a guest ISA and scripts are run by this binary, executed again
 * with the options it was given; programs of the host's own by the host. What is wrong is said before anything is lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "debug/profile.h"
#include "mem/space.h"
#include "user/call.h"
#include "user/exec.h"
#include "user/program.h"

#define SELF "/proc/thread-self/exe" /* there even when the first thread has ended */

enum { STRING_MAX = 32 * 4096, TOTAL = 2 << 20 }; /* MAX_ARG_STRLEN, a quarter of the usual stack limit */
enum { SPARE_FD = 512 };                          /* numbers that programs seldom use */

/* The dynamic linker of the host would take these for its own when this binary is executed. They get a prefix on the way,
 * which user_environment takes off. */
static const char prefix[] = "ISOMER_GUEST:";
static const char *const linkers[] = {"LD_", "GLIBC_TUNABLES=", "MALLOC_"};

/* A growing list of strings, NULL-terminated when it is used. */
struct list {
  char **at;
  size_t n, room, bytes;
};

static int push(struct list *l, char *text) {
  if (!text) return -ENOMEM;
  if (l->n + 1 >= l->room) {
    size_t room = l->room ? 2 * l->room : 64;
    char **grown = realloc(l->at, room * sizeof *grown);
    if (!grown) {
      free(text);
      return -ENOMEM;
    }
    l->at = grown;
    l->room = room;
  }
  l->at[l->n++] = text;
  l->at[l->n] = NULL;
  return 0;
}

static void list_free(struct list *l) {
  for (size_t i = 0; i < l->n; i++) free(l->at[i]);
  free(l->at);
}

/* A guest's vector of strings; NULL counts as an empty one, as Linux has it. */
static int take_vector(struct user_thread *t, gva_t at, struct list *out) {
  char *buf = malloc(STRING_MAX);
  uint64_t text = 1;
  int r = buf ? 0 : -ENOMEM;
  for (; at && !r; at += sizeof text) {
    if ((r = space_read(t->process->space, at, &text, sizeof text)) || !text) break;
    const int64_t n = space_string(t->process->space, text, buf, STRING_MAX);
    r = n == -ENAMETOOLONG ? -E2BIG : n < 0 ? (int)n : 0;
    if (r) break;
    out->bytes += strlen(buf) + 1 + sizeof text;
    r = out->bytes > TOTAL ? -E2BIG : push(out, strdup(buf));
  }
  free(buf);
  if (!r && !out->at) { /* so that there is a vector */
    r = push(out, strdup(""));
    if (!r) {
      free(out->at[0]);
      out->at[0] = NULL;
      out->n = 0;
    }
  }
  return r;
}

static bool for_linker(const char *var) {
  for (size_t i = 0; i < ARRAY_SIZE(linkers); i++)
    if (!strncmp(var, linkers[i], strlen(linkers[i]))) return true;
  return false;
}

void user_environment(char **envp) {
  for (; *envp; envp++)
    if (!strncmp(*envp, prefix, sizeof prefix - 1)) *envp += sizeof prefix - 1;
}

static int guard(struct list *env) {
  for (size_t i = 0; i < env->n; i++) {
    char *text;
    if (!for_linker(env->at[i])) continue;
    if (asprintf(&text, "%s%s", prefix, env->at[i]) < 0) return -ENOMEM;
    free(env->at[i]);
    env->at[i] = text;
  }
  return 0;
}

/* Executes, keeping what the guest is to find in the host's process: its mask and ignored signals. */
static int64_t replace(struct user_thread *t, int fd, const char *path, char *const *argv,
                       char *const *envp) {
  const uint64_t mask = os_sigmask(~UINT64_C(0)), guest = t->sig.mask;
  int64_t r = USER_RESTART;
  if (!t->sig.stop) {
    user_signals_exec(t, true);
    /* Signals that come from here on are the new program's. */
    os_sigmask(guest);
    if (!t->sig.stop)
      r = fd < 0
              ? user_syscall_host(t, SYS_execve, (uintptr_t)path, (uintptr_t)argv, (uintptr_t)envp, 0, 0, 0)
              : user_syscall_host(t, SYS_execveat, (uint64_t)fd, (uintptr_t) "", (uintptr_t)argv,
                                  (uintptr_t)envp, AT_EMPTY_PATH, 0);
    user_signals_exec(t, false);
  }
  user_signals_block(); /* so that it is certain whether one was taken */
  if (!t->sig.slot.signal) user_signals_allow(mask);
  return r;
}

/* What a call of execve holds. When it succeeds in the child of a vfork, it is the parent that frees it. */
struct user_exec {
  struct list argv, env, all; /* all: of this binary's own command line */
  struct program program;
};

void user_exec_free(struct user_thread *t, bool files) {
  struct user_exec *e = t->exec;
  if (!e) return;
  t->exec = NULL;
  if (!files) e->program.fd = e->program.interp_fd = -1;
  program_close(&e->program);
  list_free(&e->argv);
  list_free(&e->env);
  list_free(&e->all);
  free(e);
}

/* Runs a guest's program: this binary again, with the open file under a descriptor that it will close. */
static int64_t run_guest(struct user_thread *t, struct user_exec *e) {
  const struct program *g = &e->program;
  struct list *all = &e->all;
  char number[16];
  int fd = fcntl(g->fd, F_DUPFD, SPARE_FD);
  if (fd < 0) fd = dup(g->fd);
  if (fd < 0) return -errno;
  snprintf(number, sizeof number, "%d", fd);
  int r = guard(&e->env);
  for (const char *const *a = t->process->options->again; *a && !r; a++) r = push(all, strdup(*a));
  const char *const more[] = {"--path", g->execfn, "--path-fd", number, "--"};
  for (unsigned i = 0; i < ARRAY_SIZE(more) && !r; i++) r = push(all, strdup(more[i]));
  for (int i = 0; i < g->argc && !r; i++) r = push(all, strdup(g->argv[i]));
  int64_t result = r ? r : replace(t, -1, SELF, all->at, e->env.at);
  close(fd);
  return result;
}

static int64_t exec_call(struct user_thread *t, int dirfd, gva_t name, gva_t args, gva_t vars, int flags) {
  struct user_process *p = t->process;
  char path[PATH_MAX], why[2 * PATH_MAX], shown[32];
  struct user_exec *e = t->exec = calloc(1, sizeof *e);
  if (!e) return -ENOMEM;
  e->program.fd = e->program.interp_fd = -1;
  int64_t r = space_string(p->space, name, path, sizeof path);
  if (r > 0) r = 0;
  if (!r && !*path && !(flags & AT_EMPTY_PATH)) r = -ENOENT;
  if (!r) r = take_vector(t, args, &e->argv);
  if (!r) r = take_vector(t, vars, &e->env);
  snprintf(shown, sizeof shown, "/dev/fd/%d", dirfd); /* as Linux calls a program without a name */
  if (!r) {
    const struct program_request q = {
        .root = &p->root,
        .self = t->vcpu->c->isa,
        .want = p->options->want,
        .dirfd = dirfd,
        .path = path,
        .shown = *path ? NULL : shown,
        .nofollow = flags & AT_SYMLINK_NOFOLLOW,
        .argc = (int)e->argv.n,
        .argv = e->argv.at,
    };
    r = program_open(&q, &e->program, why, sizeof why);
  }
  if (!r && !t->vfork) profile_write(p->machine); /* the new program has samples of its own */
  if (!r) r = e->program.isa ? run_guest(t, e) : replace(t, e->program.fd, NULL, e->program.argv, e->env.at);
  user_exec_free(t, true);
  return r;
}

int64_t call_execve(struct user_thread *t, const uint64_t arg[6]) {
  return exec_call(t, AT_FDCWD, arg[0], arg[1], arg[2], 0);
}

int64_t call_execveat(struct user_thread *t, const uint64_t arg[6]) {
  const int flags = (int)arg[4];
  if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
  return exec_call(t, (int)arg[0], arg[1], arg[2], arg[3], flags);
}
