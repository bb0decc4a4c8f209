/* The files that perf(1) reads. Each record is one write, so those of several threads do not mix. */
#define _GNU_SOURCE
#include "jit/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/isa.h"
#include "core/log.h"
#include "jit/jit_int.h"

int perf_fd[PERFS] = {-1, -1};

/* jitdump-specification.txt, version 1. */
struct dump_header {
  uint32_t magic, version, size, machine, pad, pid;
  uint64_t time, flags;
};
struct dump_load {
  uint32_t id, size; /* of the record with name and code */
  uint64_t time;
  uint32_t pid, tid;
  uint64_t address, code, code_size, index;
};
enum { DUMP_MAGIC = 0x4a695444, DUMP_VERSION = 1, DUMP_LOAD = 0 };

static int start_dump(int fd) {
  const struct isa *host = isa_find(cg_host_name);
  const struct dump_header h = {.magic = DUMP_MAGIC,
                                .version = DUMP_VERSION,
                                .size = sizeof h,
                                .machine = host ? host->elf_machine : 0,
                                .pid = (uint32_t)getpid(),
                                .time = clock_ns()};
  if (write(fd, &h, sizeof h) != sizeof h) return -EIO;
  /* Perf notices an executable mapping of the file, and finds it by that; nothing is ever executed there. */
  void *seen = mmap(NULL, sizeof h, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (seen == MAP_FAILED) return -errno;
  munmap(seen, sizeof h);
  return 0;
}

static const char *const file[PERFS] = {[PERF_MAP] = "/tmp/perf-%d.map", [PERF_DUMP] = "/tmp/jit-%d.dump"};

int perf_start(enum jit_perf what, int fd, char *why, size_t n) {
  char path[40];
  snprintf(path, sizeof path, file[what], (int)getpid());
  int own = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  int rc = own < 0 ? -errno : what == PERF_DUMP ? start_dump(own) : 0;
  if (!rc && dup3(own, fd, O_CLOEXEC) < 0) rc = -errno;
  if (own >= 0) close(own);
  perf_fd[what] = rc ? -1 : fd;
  return rc ? err_set(why, n, rc, "%s: %s", path, strerror(-rc)) : 0;
}

static void name_code(const struct jit *j, const uint8_t *from, size_t size, const char *name) {
  char line[300];
  int n =
      snprintf(line, sizeof line, "%" PRIxPTR " %zx %.200s\n", (uintptr_t)executable(j, from), size, name);
  if (write(perf_fd[PERF_MAP], line, (size_t)n) < 0) perf_fd[PERF_MAP] = -1; /* a full disk, say */
}

static void dump_code(const struct jit *j, const uint8_t *from, size_t size, const char *name) {
  static uint64_t index;
  const size_t n = strlen(name) + 1;
  const uint64_t at = (uintptr_t)executable(j, from);
  const struct dump_load r = {.id = DUMP_LOAD,
                              .size = (uint32_t)(sizeof r + n + size),
                              .time = clock_ns(),
                              .pid = (uint32_t)getpid(),
                              .tid = (uint32_t)syscall(SYS_gettid),
                              .address = at,
                              .code = at,
                              .code_size = size,
                              .index = __atomic_fetch_add(&index, 1, __ATOMIC_RELAXED)};
  const struct iovec all[] = {
      {(void *)(uintptr_t)&r, sizeof r}, {(void *)(uintptr_t)name, n}, {(void *)(uintptr_t)from, size}};
  if (writev(perf_fd[PERF_DUMP], all, 3) < 0) perf_fd[PERF_DUMP] = -1;
}

void perf_code(const struct jit *j, const uint8_t *from, size_t size, const char *name) {
  if (perf_fd[PERF_MAP] >= 0) name_code(j, from, size, name);
  if (perf_fd[PERF_DUMP] >= 0) dump_code(j, from, size, name);
}

void perf_child(void) {
  perf_fd[PERF_DUMP] = -1;
  /* A sandbox may refuse the file; then the child's code has no names. */
  if (perf_fd[PERF_MAP] >= 0) perf_start(PERF_MAP, perf_fd[PERF_MAP], NULL, 0);
}
