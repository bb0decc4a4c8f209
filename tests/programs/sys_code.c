/* The kernel writes into a page that is being executed: read(2) brings new instructions. */
#include "sys.h"

#include <sys/mman.h>
#include <sys/uio.h>

/* Two functions of the same size that depend on no address. */
__attribute__((noinline, aligned(64), section(".text.a"))) int first(void) { return 1; }
__attribute__((noinline, aligned(64), section(".text.b"))) int second(void) { return 2; }

static int call(void *at) {
  __builtin___clear_cache(at, (char *)at + 32);
  return ((int (*)(void))at)();
}

int main(void) {
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int p[2];
  pipe(p);
  for (int i = 0; i < 3; i++) {
    memcpy(page, (void *)first, 32);
    SHOW("copied: %d", call(page));
    write(p[1], (void *)second, 32);
    T(read(p[0], page, 32));
    SHOW("read: %d", call(page));
    write(p[1], (void *)first, 32);
    T(readv(p[0], (struct iovec[]){{page, 4}, {page + 4, 28}}, 2));
    SHOW("readv: %d", call(page));
    page[4096] = 0;
    T(getcwd(page + 64, 4000) == page + 64); /* beside the code */
    SHOW("still: %d", call(page));
  }
  return 0;
}
