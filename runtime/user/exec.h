/* What execve leaves for the process that takes over. */
#ifndef ISOMER_USER_EXEC_H
#define ISOMER_USER_EXEC_H

#include <stdbool.h>

/* Gives variables that the host's dynamic linker was not to see their names back. Before the environment is used. */
void user_environment(char **envp);

struct user_thread;
/* Frees what a call of execve left in the thread's memory: in the parent of a vfork, whose child succeeded. The descriptors
 * were the child's (files: they are ours). */
void user_exec_free(struct user_thread *t, bool files);

#endif
