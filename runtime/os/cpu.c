/* What the host processor can do, and code memory mapped twice. */
#define _GNU_SOURCE
#include "os/cpu.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool os_cpu_has(const char *feature) {
#if defined(__x86_64__)
  static const char *const names[] = {"POPCNT", "LZCNT", "BMI1", "BMI2", "SSE41",
                                      "SSE42",  "AVX",   "AVX2", "FMA"};
  const bool has[] = {
      __builtin_cpu_supports("popcnt"), __builtin_cpu_supports("lzcnt"),  __builtin_cpu_supports("bmi"),
      __builtin_cpu_supports("bmi2"),   __builtin_cpu_supports("sse4.1"), __builtin_cpu_supports("sse4.2"),
      __builtin_cpu_supports("avx"),    __builtin_cpu_supports("avx2"),   __builtin_cpu_supports("fma")};
  for (size_t i = 0; i < ARRAY_SIZE(names); i++)
    if (!strcmp(feature, names[i])) return has[i];
#endif
  (void)feature;
  return false;
}

int os_code_map(struct os_code *c, size_t size) {
  int fd = memfd_create("code", MFD_CLOEXEC), rc = 0;
  *c = (struct os_code){.size = size};
  if (fd < 0) return -errno;
  if (ftruncate(fd, (off_t)size)) rc = -errno;
  void *rw = rc ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void *rx = rw == MAP_FAILED ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  if (!rc && rx == MAP_FAILED) rc = -errno;
  close(fd);
  if (rc) {
    if (rw != MAP_FAILED) munmap(rw, size);
    return rc;
  }
  c->rw = rw;
  c->rx = rx;
  return 0;
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
