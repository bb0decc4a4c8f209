/* 128-bit compare-and-swap: cmpxchg16b on x86_64 hosts, one process-wide lock elsewhere (then 128-bit atomics are atomic
 * against each other and torn only for plain or narrower accesses from other threads). */
#include "os/atomic128.h"

#if defined(__x86_64__)

const bool os_cas128_is_atomic = true;

__attribute__((target("cx16"))) bool os_cas128(void *p, u128 *expect, u128 value) {
  u128 old = __sync_val_compare_and_swap((u128 *)p, *expect, value);
  bool ok = old == *expect;
  *expect = old;
  return ok;
}

#else

#include <pthread.h>

const bool os_cas128_is_atomic = false;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool os_cas128(void *p, u128 *expect, u128 value) {
  pthread_mutex_lock(&lock);
  u128 old = *(volatile u128 *)p;
  bool ok = old == *expect;
  if (ok) *(volatile u128 *)p = value;
  pthread_mutex_unlock(&lock);
  *expect = old;
  return ok;
}

#endif

u128 os_load128(void *p) {
  u128 v = 0;
  os_cas128(p, &v, 0); /* stores 0 over 0, or reads */
  return v;
}
