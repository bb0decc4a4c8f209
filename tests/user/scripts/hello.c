/* What the compiler of the sysroot is to compile and link. */
#include <stdio.h>

int main(int argc, char **argv) {
  printf("hello, %s: %d\n", argv[argc > 1], argc);
  return 42;
}
