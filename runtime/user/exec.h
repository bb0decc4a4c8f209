/* What execve leaves for the process that takes over. */
#ifndef ISOMER_USER_EXEC_H
#define ISOMER_USER_EXEC_H

/* Gives variables that the host's dynamic linker was not to see their names back. Before the environment is used. */
void user_environment(char **envp);

#endif
