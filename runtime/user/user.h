/* User mode: a Linux process of a guest ISA, run as a process of the host. What the command line sees of it; what its
 * parts share is user/process.h. It grants the program the operator's own rights. */
#ifndef ISOMER_USER_USER_H
#define ISOMER_USER_USER_H

#include "core/isa.h"
#include "core/machine.h"

struct sysroot;
struct user_process;

struct user_options {
  const struct isa *want; /* refuse programs of another ISA; NULL: any */
  const struct sysroot
      *root;        /* where the program's absolute paths are looked up first; copied; NULL: nowhere else */
  const char *path; /* the program; NULL: argv[0], looked for in $PATH when it has no slash */
  int fd; /* with `path`, which then is only a name: the open file to run (not taken over); else -1 */
  int argc;
  char *const *argv; /* argv[0] is what the program gets as such */
  char *const *envp; /* NULL-terminated */
  bool strace;       /* print system calls on stderr */
  /* Arguments with which this binary runs another program in the same way, NULL-terminated, in front of
   * "--argv0 NAME PATH ARGUMENTS". */
  const char *const *again;
  /* Called once, on any thread, when the process ends, also when a signal ends it that this process sees. */
  void (*finish)(struct user_process *p, void *opaque);
  void *opaque;
};

/* Loads the program; its first vCPU has no engine yet. `o` is used until the end. -errno with one line logged
 * (program.h says which; -ENOENT: it, its script's interpreter or its dynamic linker is not there); *out is NULL then. */
int user_create(const struct user_options *o, struct user_process **out);
void user_free(struct user_process *p);

/* Host paths that the program needs to read to run at all: its own file, its script, its dynamic linker, the sysroot. Their number;
 * valid as long as p. */
unsigned user_files(const struct user_process *p, const char *path[4]);

/* Takes over a descriptor that is Isomer's own: hides it from the program; its new number, or -errno (logged). */
int user_fd_keep(struct user_process *p, int fd);

/* The machine that holds the process's vCPUs and trace settings; it has no board. */
struct machine *user_machine(struct user_process *p);

/* Runs to the end of this host process, which exits with the program's status, or dies of the signal that the program died
 * of (one line is logged for those that would dump core). */
_Noreturn void user_run(struct user_process *p);

/* Counters of all threads so far, and how many instructions they have retired. */
void user_stats(struct user_process *p, struct vcpu_stats *out);

/* System calls by how often they were made and how often they failed: sets the rest and advances *index (which starts at
 * 0); false past the last. */
bool user_counted_call(const struct user_process *p, unsigned *index, const char **name, uint64_t *calls,
                       uint64_t *errors);
/* Calls that were answered ENOSYS because nothing does them, by index; `name` is NULL when nobody knows the number. */
bool user_unknown_call(const struct user_process *p, unsigned index, uint64_t *nr, const char **name,
                       uint64_t *count);
/* Requests of ioctl(2) that were answered ENOTTY because nothing knows them. */
bool user_unknown_request(const struct user_process *p, unsigned index, uint32_t *request, uint64_t *count);

#endif
