/* Reads addresses at which nothing of the program's is, and accesses them in every way until the accesses are translated. Says
 * for each how many accesses faulted there and how many did not. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define SEQ __ATOMIC_SEQ_CST
typedef volatile struct {
  char far[600];
  uint64_t field;
  char more[3000000];
  uint64_t distant;
} thing;

static sigjmp_buf back;
static char *volatile seen;
static void handler(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  seen = info->si_addr;
  siglongjmp(back, 1);
}

/* Each accesses the place `at`, reached in its own way, after accesses that are fine. */
static uint64_t own[64];
#define WAY(name, code) \
  __attribute__((noinline)) static uint64_t name(char *at, volatile uint64_t *fine) { code; }
WAY(load8, return *fine + *(volatile uint8_t *)at)
WAY(load16, return *fine + *(volatile uint16_t *)at)
WAY(load32, return *fine + *(volatile uint32_t *)at)
WAY(load64, return *fine + *(volatile uint64_t *)at)
WAY(store8, *fine = 1; *(volatile uint8_t *)at = 1; return 0)
WAY(store16, *fine = 1; *(volatile uint16_t *)at = 1; return 0)
WAY(store32, *fine = 1; *(volatile uint32_t *)at = 1; return 0)
WAY(store64, *fine = 1; *(volatile uint64_t *)at = 1; return 0)
WAY(field, return *fine + ((thing *)(at - 600))->field)
WAY(distant, return *fine + ((thing *)(at - __builtin_offsetof(thing, distant)))->distant)
WAY(back_field, return *fine + *(volatile uint64_t *)(at + 2000 - 2000 * (*fine | 1)))
WAY(indexed, return fine[((volatile uint64_t *)at - fine)])
WAY(swap, return __atomic_exchange_n((uint32_t *)at, 1, SEQ))
WAY(add, return __atomic_fetch_add((uint64_t *)at, 1, SEQ))
WAY(or, return __atomic_fetch_or((uint32_t *)at, 1, SEQ))
WAY(cas, uint64_t e = *fine; return __atomic_compare_exchange_n((uint64_t *)at, &e, 1, 0, SEQ, SEQ))
WAY(twice, *(volatile uint64_t *)own = *(volatile uint64_t *)(at + 8 * *fine);
    return *(volatile uint64_t *)at)
static uint64_t (*const way[])(char *, volatile uint64_t *) = {
    load8,   load16,     load32,  load64, store8, store16, store32, store64, field,
    distant, back_field, indexed, swap,   add,    or,      cas,     twice};

int main(void) {
  unsigned long at;
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  printf("ready\n");
  fflush(stdout);
  while (scanf("%lx", &at) == 1) {
    volatile unsigned there = 0, elsewhere = 0, none = 0;
    for (volatile unsigned w = 0; w < sizeof way / sizeof *way; w++) {
      for (volatile unsigned n = 0; n < 40; n++) {
        own[0] = own[1] = 0;
        for (unsigned k = 0; k < 3; k++) way[w]((char *)&own[1], &own[0]);
        own[0] = 0;
        if (sigsetjmp(back, 1)) {
          if (seen == (char *)at) there++;
          else elsewhere++;
        } else {
          way[w]((char *)at, &own[0]);
          none++;
        }
      }
    }
    printf("%u %u %u\n", there, elsewhere, none);
    fflush(stdout);
  }
  return 7;
}
