/* What the host processor can do, and code memory mapped twice. */
#define _GNU_SOURCE
#include "os/cpu.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool os_cpu_has(const char *feature) {
#if defined(__x86_64__)
  static const char *const names[] = {"POPCNT", "LZCNT", "BMI1", "BMI2", "SSE41",  "SSE42",
                                      "AVX",    "AVX2",  "FMA",  "AES",  "PCLMUL", "SHA"};
  unsigned eax, ebx = 0, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) ebx = 0;
  const bool has[] = {__builtin_cpu_supports("popcnt"), __builtin_cpu_supports("lzcnt"),
                      __builtin_cpu_supports("bmi"),    __builtin_cpu_supports("bmi2"),
                      __builtin_cpu_supports("sse4.1"), __builtin_cpu_supports("sse4.2"),
                      __builtin_cpu_supports("avx"),    __builtin_cpu_supports("avx2"),
                      __builtin_cpu_supports("fma"),    __builtin_cpu_supports("aes"),
                      __builtin_cpu_supports("pclmul"), ebx >> 29 & 1}; /* gcc 12 does not know "sha" */
  for (size_t i = 0; i < ARRAY_SIZE(names); i++)
    if (!strcmp(feature, names[i])) return has[i];
#endif
  (void)feature;
  return false;
}

/* A second view of shared memory: of size 0 and shared, mremap(2) leaves the first where it is. Anonymous memory, because
 * the host's profiler looks for names of code only where there is no file. */
static int second_view(const struct os_code *c, const void *at, const uint8_t **out) {
  void *rx = mremap(c->rw, 0, c->size, MREMAP_MAYMOVE | (at ? MREMAP_FIXED : 0), (void *)(uintptr_t)at);
  if (rx == MAP_FAILED) return -errno;
  if (!mprotect(rx, c->size, PROT_READ | PROT_EXEC)) {
    *out = rx;
    return 0;
  }
  const int e = errno;
  if (!at) munmap(rx, c->size);
  return -e;
}

int os_code_map(struct os_code *c, size_t size) {
  *c = (struct os_code){.size = size};
  void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (rw == MAP_FAILED) return -errno;
  c->rw = rw;
  int rc = second_view(c, NULL, &c->rx);
  if (!rc) return 0;
  munmap(rw, size);
  *c = (struct os_code){0};
  return rc;
}

void os_code_unmap(struct os_code *c) {
  if (!c->rw) return;
  munmap(c->rw, c->size);
  munmap((void *)(uintptr_t)c->rx, c->size);
  *c = (struct os_code){0};
}

void os_code_written(const struct os_code *c, const uint8_t *rw, size_t n) {
  char *rx = (char *)(uintptr_t)c->rx + (rw - c->rw);
  __builtin___clear_cache(rx, rx + n);
}
