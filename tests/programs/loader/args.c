/* Prints its arguments and the name it was executed under. */
#include <stdio.h>
#include <sys/auxv.h>

int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("[%s]\n", argv[i]);
  printf("execfn [%s]\n", (const char *)getauxval(AT_EXECFN));
  return argc;
}
