/* User mode: a Linux process of a guest ISA, run as a process of the host. What the command line sees of it; what its
 * parts share is user/process.h. It grants the program the operator's own rights. */
#ifndef ISOMER_USER_USER_H
#define ISOMER_USER_USER_H

#include "core/isa.h"
#include "core/machine.h"

struct user_process;

struct user_options {
  const struct isa *want; /* refuse programs of another ISA; NULL: any */
  int argc;               /* at least 1; argv[0] is the program's path */
  char *const *argv;
  char *const *envp; /* NULL-terminated */
};

/* Loads the program; its first vCPU has no engine yet. Strings are used only during the call, except argv[0]. -errno with
 * one line logged (-ENOENT: there is no such file); *out is NULL then. */
int user_create(const struct user_options *o, struct user_process **out);
void user_free(struct user_process *p);

/* The machine that holds the process's vCPUs and trace settings; it has no board. */
struct machine *user_machine(struct user_process *p);

/* Runs to the end: the exit status, or 128 + signal with one line logged when a trap kills the program. -EIO when the
 * engine failed (logged). */
int user_run(struct user_process *p);

/* System calls that were answered ENOSYS because they are not in the table: number and how often, by index; false past
 * the last. */
bool user_unknown_call(const struct user_process *p, unsigned index, uint64_t *nr, uint64_t *count);

#endif
