/* Atomic accesses at places that fault, and from four threads at once. What it prints is the same on every processor. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define SEQ     __ATOMIC_SEQ_CST
#define THREADS 4
#define ROUNDS  20000

/* ---- faults ---- */

static sigjmp_buf back;
static char *volatile place;
static void handler(int signal, siginfo_t *info, void *context) {
  (void)context;
  printf(" %d:%d:%ld", signal, info->si_code, (long)((char *)info->si_addr - place));
  siglongjmp(back, 1);
}

__attribute__((noinline)) static void add(uint32_t *p, uint32_t n) { __atomic_fetch_add(p, n, SEQ); }
__attribute__((noinline)) static void change(uint64_t *p, uint64_t n) {
  uint64_t e = n;
  __atomic_compare_exchange_n(p, &e, n + 1, 0, SEQ, SEQ);
}
__attribute__((noinline)) static void pair(uint64_t *p, uint64_t x) { p[0] = x, p[1] = x; }

static void faults(void) {
  char *m = mmap(NULL, 3 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGBUS, &a, NULL);
  mprotect(m + 65536, 65536, PROT_READ);
  munmap(m + 2 * 65536, 65536);
  for (unsigned n = 0; n < 100; n++) {
    add((uint32_t *)m, n);
    change((uint64_t *)m, n);
    pair((uint64_t *)m, n);
  }
  for (volatile int n = 0; n < 10; n++)
    for (volatile int k = 0; k < 3; k++) {
      place = m + 65536 * (n % 2 + 1);
      if (sigsetjmp(back, 1)) continue;
      if (k == 0) add((uint32_t *)place, 1);
      else if (k == 1) change((uint64_t *)place, 0);
      else pair((uint64_t *)place - 1, 77);
    }
  puts("");
}

/* ---- contention ---- */

static uint64_t counter[3];
static uint32_t lock, bits;
static unsigned long guarded;
static void *work(void *which) {
  const uint32_t mine = 1u << (long)which;
  for (unsigned i = 0; i < ROUNDS; i++) {
    __atomic_fetch_add(&counter[0], 1, SEQ);
    for (uint64_t e = counter[1]; !__atomic_compare_exchange_n(&counter[1], &e, e + 3, 1, SEQ, SEQ);) {}
    __atomic_fetch_add((uint8_t *)&counter[2] + (long)which, 1, SEQ);
    __atomic_fetch_xor(&bits, mine, SEQ);
    if (i % 16 == 0) {
      while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {}
      guarded++;
      __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    }
    if (i % 64 == 1 && !(__atomic_fetch_or(&bits, mine << 8, SEQ) & mine << 8 ? 0 : 1)) puts("lost");
    if (i % 64 == 1) __atomic_fetch_and(&bits, ~(mine << 8), SEQ);
  }
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  faults();
  pthread_t t[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, work, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  printf("%llu %llu %llx %lu %x\n", (unsigned long long)counter[0], (unsigned long long)counter[1],
         (unsigned long long)counter[2], guarded, bits);
  return 0;
}
