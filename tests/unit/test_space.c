/* The address space at identity: what mmap and its like do, page by page, against the host's kernel; faults; atomics; code
 * pages; threads. The processor is only there to execute two instructions. */
#define _GNU_SOURCE
#define MEM_DIRECT /* the inline accesses of the direct run loop; those out of line are named */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine.h"
#include "core/isa.h"
#include "mem/access.h"
#include "mem/direct.h"
#include "os/fault.h"
#include "riscv64/state.h"

enum { PAGE = 4096, AT = 0x400000, RW = PROT_READ | PROT_WRITE, RWX = RW | PROT_EXEC };
enum { ANON = MAP_PRIVATE | MAP_ANONYMOUS, FIXED = ANON | MAP_FIXED };

/* In threads, where cmocka's assertions cannot leave the test. */
#define MUST(x)                                                     \
  do {                                                              \
    if (x) break;                                                   \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
    abort();                                                        \
  } while (0)

static const struct isa *isa;
static struct space *s;

static struct vcpu *new_vcpu(void) {
  struct vcpu *v = vcpu_new(isa, NULL, 0, isa->default_features);
  assert_non_null(v);
  assert_int_equal(space_attach(s, v), 0);
  assert_int_equal(engine_select(v, "interp"), 0);
  v->c->trap_exits = true;
  isa->arch->user_entry(v, AT, 0);
  return v;
}

static struct vcpu *world(void) {
  space_free(s); /* of a test that failed */
  s = space_new(0x10000, (gva_t)1 << SPACE_BITS);
  assert_non_null(s);
  return new_vcpu();
}

static void leave(struct vcpu *v) {
  vcpu_free(v);
  space_free(s);
  s = NULL;
}

static void map(gva_t at, unsigned pages, int prot) {
  assert_int_equal(space_map(s, at, pages * PAGE, prot, FIXED, -1, 0), at);
}

static void faulted(struct vcpu *v, int rc, int signal, int code, gva_t addr) {
  assert_int_equal(rc, STEP_TRAP);
  assert_int_equal(v->c->fault.signal, signal);
  assert_int_equal(v->c->fault.code, code);
  assert_int_equal(v->c->fault.addr, addr);
}

/* ---- faults ---- */

static void test_faults(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x = 0;
  u128 q = 0;
  uint8_t ok;
  map(AT, 2, RW);
  map(AT + 2 * PAGE, 1, PROT_READ);
  map(AT + 3 * PAGE, 1, PROT_NONE); /* then a hole */
  assert_int_equal(mem_store64(v, AT + PAGE - 4, 0, 0x1122334455667788), 0);
  assert_int_equal(mem_load64(v, AT + PAGE - 4, 0, &x), 0);
  assert_true(x == 0x1122334455667788);
  x = 0;
  faulted(v, mem_load64(v, AT - 8, 0, &x), SIGSEGV, SEGV_MAPERR, AT - 8);
  faulted(v, mem_load64(v, AT - 3, 0, &x), SIGSEGV, SEGV_MAPERR, AT - 3);
  faulted(v, mem_load32(v, AT + 3 * PAGE - 1, 0, &(uint32_t){0}), SIGSEGV, SEGV_ACCERR, AT + 3 * PAGE);
  faulted(v, mem_store8(v, AT + 2 * PAGE, 0, 1), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
  faulted(v, mem_load8(v, AT + 4 * PAGE + 5, 0, &ok), SIGSEGV, SEGV_MAPERR, AT + 4 * PAGE + 5);
  faulted(v, mem_load64(v, 0, 0, &x), SIGSEGV, SEGV_MAPERR, 0);
  /* A store that crosses into a page it may not change changes nothing, whatever its size and path. */
  for (unsigned before = 1; before < 16; before++) {
    const gva_t a = AT + 2 * PAGE - before;
    uint8_t bytes[16], zero[16] = {0};
    memset(bytes, 0xff, sizeof bytes);
    faulted(v, mem_store128(v, a, 0, ~(u128)0), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    if (before < 8) faulted(v, mem_store64(v, a, 0, UINT64_MAX), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    if (before < 4) faulted(v, mem_store32(v, a, 0, UINT32_MAX), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    if (before < 2) faulted(v, mem_store16(v, a, 0, UINT16_MAX), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    faulted(v, mem_cas128(v, a, 0, 0, ~(u128)0, &q), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    faulted(v, mem_probe(v, a, 16, ACCESS_WRITE), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    faulted(v, mem_fill(v, a, 16, 0xff), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
    assert_int_equal(space_read(s, a, bytes, before), 0);
    assert_memory_equal(bytes, zero, before);
  }
  assert_int_equal(mem_probe(v, AT, 3 * PAGE, ACCESS_READ), 0);
  /* Isomer's own memory, the end of the space, addresses that no processor has. */
  faulted(v, mem_load64(v, (gva_t)(uintptr_t)&x, 0, &x), SIGSEGV, SEGV_MAPERR, (gva_t)(uintptr_t)&x);
  faulted(v, mem_store64(v, (gva_t)(uintptr_t)v, 0, 0), SIGSEGV, SEGV_MAPERR, (gva_t)(uintptr_t)v);
  faulted(v, mem_load64(v, UINT64_MAX - 2, 0, &x), SIGSEGV, SEGV_MAPERR, UINT64_MAX - 2);
  faulted(v, mem_store128(v, UINT64_C(0xdeadbeefdeadbeef), 0, 0), SIGSEGV, SEGV_MAPERR, 0xdeadbeefdeadbeef);
  faulted(v, mem_load_slow(v, UINT64_C(1) << 50, 0, 8).trap, SIGSEGV, SEGV_MAPERR, UINT64_C(1) << 50);
  leave(v);
}

static void test_file_end(void **state) {
  (void)state;
  struct vcpu *v = world();
  uint64_t x;
  uint32_t w;
  const int fd = memfd_create("short", 0);
  assert_int_equal(ftruncate(fd, 100), 0);
  assert_int_equal(space_map(s, AT, 2 * PAGE, RW | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0), AT);
  assert_int_equal(mem_store64(v, AT + PAGE - 8, 0, 1), 0);
  faulted(v, mem_load64(v, AT + PAGE + 8, 0, &x), SIGBUS, BUS_ADRERR, AT + PAGE + 8);
  faulted(v, mem_store64(v, AT + PAGE - 4, 0, 1), SIGBUS, BUS_ADRERR, AT + PAGE);
  faulted(v, mem_rmw32(v, AT + PAGE, 0, RMW_ADD, 1, &w), SIGBUS, BUS_ADRERR, AT + PAGE);
  v->pc = AT + PAGE + 16;
  vcpu_set_budget(v, 1000);
  assert_int_equal(v->c->engine_ops->run(v), EXIT_TRAP);
  faulted(v, STEP_TRAP, SIGBUS, BUS_ADRERR, AT + PAGE + 16);
  assert_int_equal(space_read(s, AT + PAGE, &x, 8), -EFAULT);
  close(fd);
  leave(v);
}

static void test_system_calls(void **state) {
  (void)state;
  struct vcpu *v = world();
  char buf[64];
  map(AT, 2, RW);
  map(AT + 2 * PAGE, 1, PROT_READ);
  assert_int_equal(space_write(s, AT + PAGE - 3, "string", 7), 0);
  assert_int_equal(space_string(s, AT + PAGE - 3, buf, sizeof buf), 6);
  assert_string_equal(buf, "string");
  assert_int_equal(space_string(s, AT + PAGE - 3, buf, 6), -ENAMETOOLONG);
  assert_int_equal(space_string(s, AT + PAGE - 3, buf, 7), 6);
  assert_int_equal(space_write(s, AT + 3 * PAGE - 4, "x", 1), -EFAULT);
  assert_int_equal(space_read(s, AT + 3 * PAGE - 4, buf, 4), 0);
  assert_int_equal(space_read(s, AT + 3 * PAGE - 4, buf, 5), -EFAULT);
  assert_int_equal(space_string(s, AT + 3 * PAGE - 4, buf, 9), 0);
  assert_int_equal(space_string(s, AT + 3 * PAGE, buf, 9), -EFAULT);
  assert_int_equal(space_write(s, AT + 2 * PAGE - 4, "12345678", 8), -EFAULT);
  assert_int_equal(space_read(s, (gva_t)(uintptr_t)buf, buf, 1), -EFAULT);
  assert_int_equal(space_kernel_writes(s, (gva_t)(uintptr_t)buf, 1), -EFAULT);
  assert_int_equal(space_read(s, UINT64_MAX - 1, buf, 8), -EFAULT);
  assert_int_equal(space_read(s, 0, buf, 0), 0);
  assert_true(space_holds(s, AT + 100 * PAGE, 5) && !space_holds(s, (gva_t)1 << SPACE_BITS, 1));
  assert_true(space_allowed(s, AT, 3 * PAGE, SPACE_R) &&
              !space_allowed(s, AT, 2 * PAGE + 1, SPACE_R | SPACE_W));
  assert_true(!space_allowed(s, AT, 1, SPACE_X) && !space_allowed(s, AT + 3 * PAGE - 1, 2, SPACE_R));
  leave(v);
}

/* ---- against the host's kernel ---- */

enum { PAGES = 24 };

/* What a page is: "rwxp" and the file's offset, or nothing. */
struct page {
  char perms[5];
  uint64_t off, ino;
};

static void host_pages(const char *base, struct page *out) {
  static char text[1 << 16];
  size_t n = 0;
  ssize_t got;
  const int fd = open("/proc/self/maps", O_RDONLY);
  while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) n += (size_t)got;
  close(fd);
  text[n] = 0;
  memset(out, 0, PAGES * sizeof *out);
  for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    unsigned long from, to, off, ino;
    char perms[5];
    if (sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu", &from, &to, perms, &off, &ino) != 5) continue;
    for (unsigned i = 0; i < PAGES; i++) {
      const unsigned long at = (unsigned long)base + i * PAGE;
      if (at < from || at >= to) continue;
      memcpy(out[i].perms, perms, 5);
      out[i].ino = ino;
      out[i].off = ino ? off + (at - from) : 0;
    }
  }
}

static void space_pages(struct page *out) {
  struct space_info m;
  memset(out, 0, PAGES * sizeof *out);
  for (gva_t at = AT; space_next(s, at, &m) && m.start < AT + PAGES * PAGE; at = m.last + 1)
    for (unsigned i = 0; i < PAGES; i++) {
      const gva_t page = AT + i * PAGE;
      if (page < m.start || page > m.last) continue;
      const char perms[5] = {m.prot & SPACE_R ? 'r' : '-', m.prot & SPACE_W ? 'w' : '-',
                             m.prot & SPACE_X ? 'x' : '-', m.shared ? 's' : 'p'};
      memcpy(out[i].perms, perms, 5);
      out[i].ino = m.ino;
      out[i].off = m.ino ? m.off + (page - m.start) : 0;
    }
}

static uint32_t seed;
static unsigned any(unsigned n) { return (seed = seed * 1664525 + 1013904223) / 65536 % n; }

static int64_t errno_of(void *p, const char *base) {
  return p == MAP_FAILED ? -errno : (int64_t)((char *)p - base);
}

/* The same calls here and there give the same results, rights, offsets and bytes. */
static void test_against_host(void **state) {
  (void)state;
  const unsigned steps = getenv("ISOMER_FULL") ? 60000 : 6000;
  struct vcpu *v = world();
  static struct page there[PAGES], here[PAGES];
  static const int prots[] = {PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC, RWX, PROT_EXEC};
  char name[] = "/tmp/isomer-space-XXXXXX";
  const int fd = mkstemp(name), ro = open(name, O_RDONLY);
  char *base = mmap(NULL, PAGES * PAGE, PROT_NONE, ANON, -1, 0);
  assert_int_equal(ftruncate(fd, 4 * PAGES * PAGE), 0); /* mappings grow */
  for (unsigned i = 0; i < PAGES; i++) assert_int_equal(pwrite(fd, &(char){(char)('a' + i)}, 1, i * PAGE), 1);
  munmap(base, PAGES * PAGE);
  seed = 20;
  for (unsigned n = 0; n < steps; n++) {
    const unsigned p = any(PAGES), len = 1 + any(PAGES - p < 6 ? PAGES - p : 6);
    const int prot = prots[any(6)];
    char *const at = base + p * PAGE;
    const gva_t va = AT + p * PAGE;
    int64_t want = 0, got = 0;
    const unsigned op = any(8);
    switch (op) {
    case 0: {
      const int flags = FIXED | (any(4) ? 0 : MAP_FIXED_NOREPLACE);
      want = errno_of(mmap(at, len * PAGE, prot, flags, -1, 0), base);
      got = space_map(s, va, len * PAGE, prot, flags, -1, 0);
      break;
    }
    case 1: {
      const int flags = MAP_FIXED | (any(2) ? MAP_PRIVATE : MAP_SHARED), file = any(4)   ? fd
                                                                                : any(2) ? ro
                                                                                         : 12345;
      const unsigned off = any(PAGES - len) * PAGE + (any(16) ? 0 : 1);
      want = errno_of(mmap(at, len * PAGE - any(2) * 7, prot, flags, file, off), base);
      got = space_map(s, va, len * PAGE, prot, flags, file, off);
      break;
    }
    case 2:
    case 3:
      want = munmap(at, len * PAGE) ? -errno : 0;
      got = space_unmap(s, va, len * PAGE);
      break;
    case 4:
    case 5:
      want = mprotect(at, len * PAGE, prot) ? -errno : 0;
      got = space_protect(s, va, len * PAGE, prot);
      break;
    case 6: { /* single pages: those are one mapping on both sides */
      const unsigned to = any(PAGES), new = any(3);
      const int flags = any(3) ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
      if (to + new > PAGES || p + new > PAGES) continue;
      want = errno_of(mremap(at, PAGE, new *PAGE, flags, base + to * PAGE), base);
      got = space_remap(s, va, PAGE, new *PAGE, flags, AT + to * PAGE);
      break;
    }
    case 7: {
      static const int advice[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_NORMAL, 12345};
      const int a = advice[any(4)];
      want = madvise(at, len * PAGE, a) ? -errno : 0;
      got = space_advise(s, va, len * PAGE, a);
      break;
    }
    }
    if (got >= AT) got -= AT;
    if (want != got) print_message("step %u, call %u: the host says %lld\n", n, op, (long long)want);
    assert_int_equal(got, want);
    host_pages(base, there);
    space_pages(here);
    for (unsigned i = 0; i < PAGES; i++) {
      const char *mine = base + i * PAGE;
      if (memcmp(&there[i], &here[i], sizeof there[i]))
        print_message("step %u, call %u, page %u: %s %llx, the host: %s %llx\n", n, op, i, here[i].perms,
                      (unsigned long long)here[i].off, there[i].perms, (unsigned long long)there[i].off);
      assert_memory_equal(&there[i], &here[i], sizeof there[i]);
      uint8_t byte = 0;
      const bool readable = strpbrk(here[i].perms, "rwx") != NULL;
      assert_int_equal(mem_load8(v, AT + i * PAGE, 0, &byte), readable ? 0 : STEP_TRAP);
      if (!strchr(here[i].perms, 'w')) {
        if (here[i].perms[0]) assert_int_equal(mem_store8(v, AT + i * PAGE, 0, 1), STEP_TRAP);
        if (there[i].perms[0] == 'r') assert_int_equal(byte, (uint8_t)*mine);
        continue;
      }
      assert_int_equal(byte, (uint8_t)*mine);
      if (here[i].perms[3] == 's') continue; /* one file for both */
      *(volatile char *)(base + i * PAGE) = (char)(byte + 1);
      assert_int_equal(mem_store8(v, AT + i * PAGE, 0, (uint8_t)(byte + 1)), 0);
    }
  }
  munmap(base, PAGES * PAGE);
  close(fd), close(ro), unlink(name);
  leave(v);
}

static void test_places(void **state) {
  (void)state;
  struct vcpu *v = world();
  const gva_t top = UINT64_C(0x3f00000000);
  struct space_info m;
  space_set_top(s, top);
  assert_int_equal(space_map(s, 0, PAGE, RW, ANON, -1, 0), top - PAGE);
  assert_int_equal(space_map(s, 0, 1, RW, ANON, -1, 0), top - 2 * PAGE);
  assert_int_equal(space_map(s, AT + 1, PAGE, RW, ANON, -1, 0), AT + PAGE); /* a hint, taken up to a page */
  assert_int_equal(space_map(s, AT + PAGE, PAGE, RW, ANON, -1, 0), top - 3 * PAGE);
  assert_int_equal(space_map(s, AT, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), -EEXIST);
  assert_int_equal(space_map(s, 0, PAGE, RW, ANON | MAP_FIXED, -1, 0), -EPERM);
  assert_int_equal(space_map(s, AT + 1, PAGE, RW, FIXED, -1, 0), -EINVAL);
  assert_int_equal(space_map(s, 0, 0, RW, ANON, -1, 0), -EINVAL);
  assert_int_equal(space_map(s, 0, UINT64_MAX, RW, ANON, -1, 0), -ENOMEM);
  assert_int_equal(space_map(s, ((gva_t)1 << SPACE_BITS) - PAGE, 2 * PAGE, RW, FIXED, -1, 0), -ENOMEM);
  assert_int_equal(space_map(s, 0, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0), -EOPNOTSUPP);
  assert_int_equal(space_map(s, 0, PAGE, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
  assert_true(space_map(s, 0, PAGE, RW, ANON | 0x40 /* MAP_32BIT */, -1, 0) < (int64_t)1 << 31);
  assert_int_equal(space_map(s, 0, 4 << 20, RW, ANON, -1, 0) % (2 << 20), 0); /* for the host's huge pages */
  /* Growing in place, moving, a second mapping of shared memory. */
  assert_int_equal(mem_store64(v, AT + PAGE, 0, 77), 0);
  assert_int_equal(space_remap(s, AT + PAGE, PAGE, 3 * PAGE, 0, 0), AT + PAGE);
  map(AT + 4 * PAGE, 1, RW);
  assert_int_equal(space_unmap(s, AT + 3 * PAGE, PAGE), 0);
  map(AT + 3 * PAGE, 1, PROT_READ);
  assert_int_equal(space_remap(s, AT + PAGE, 2 * PAGE, 3 * PAGE, 0, 0), -ENOMEM);
  const int64_t to = space_remap(s, AT + PAGE, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, 0);
  uint64_t x = 0;
  assert_true(to > AT + 100 * PAGE);
  assert_int_equal(mem_load64(v, (gva_t)to, 0, &x), 0);
  assert_int_equal(x, 77);
  faulted(v, mem_load64(v, AT + PAGE, 0, &x), SIGSEGV, SEGV_MAPERR, AT + PAGE);
  assert_int_equal(space_remap(s, AT + 20 * PAGE, PAGE, PAGE, 0, 0), -EFAULT);
  assert_int_equal(space_remap(s, AT + 3 * PAGE, PAGE, PAGE, MREMAP_FIXED, AT), -EINVAL);
  assert_int_equal(space_remap(s, AT + 3 * PAGE, 2 * PAGE, PAGE, MREMAP_MAYMOVE, 0),
                   -EFAULT); /* two mappings */
  const int64_t shared = space_map(s, 0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const int64_t twin = space_remap(s, (gva_t)shared, 0, PAGE, MREMAP_MAYMOVE, 0);
  assert_true(twin > 0 && twin != shared);
  assert_int_equal(mem_store64(v, (gva_t)twin, 0, 5), 0);
  assert_int_equal(mem_load64(v, (gva_t)shared, 0, &x), 0);
  assert_int_equal(x, 5);
  const int64_t empty = space_remap(s, (gva_t)to, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, 0);
  assert_true(empty > 0);
  assert_int_equal(mem_load64(v, (gva_t)to, 0, &x), 0);
  assert_int_equal(x, 0);
  /* Names. */
  space_name(s, AT + 4 * PAGE, "[heap]");
  assert_true(space_next(s, AT + 4 * PAGE, &m));
  assert_string_equal(m.name, "[heap]");
  const int fd = open("/proc/self/exe", O_RDONLY);
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(space_map(s, AT, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE), AT);
  close(fd);
  assert_true(space_next(s, AT, &m));
  assert_non_null(strstr(m.name, "/test_space"));
  assert_true(m.off == PAGE && m.ino == st.st_ino && m.dev == st.st_dev && !m.shared);
  leave(v);
}

/* ---- code ---- */

#define LI_A0(n) ((uint32_t)(n) << 20 | 10 << 7 | 0x13) /* addi a0, zero, n */
enum { ECALL = 0x73, FENCE_I = 0x100f };

static void put(gva_t at, unsigned n) {
  const uint32_t code[3] = {FENCE_I, LI_A0(n), ECALL};
  assert_int_equal(space_write(s, at, code, sizeof code), 0);
}

/* Runs from `at` to the environment call: a0. */
static uint64_t run(struct vcpu *v, gva_t at) {
  v->pc = at;
  vcpu_set_budget(v, 1000);
  enum vcpu_exit exit;
  do {
    __atomic_store_n(&v->kick, 0, __ATOMIC_SEQ_CST);
    exit = v->c->engine_ops->run(v);
  } while (exit == EXIT_KICK);
  MUST(exit == EXIT_TRAP && v->c->trap.kind == RISCV64_TRAP_ecall_u);
  return ((struct riscv64_vcpu *)v)->x[10];
}

static void no_fetch(struct vcpu *v, gva_t at, int code) {
  v->pc = at;
  vcpu_set_budget(v, 1000);
  assert_int_equal(v->c->engine_ops->run(v), EXIT_TRAP);
  assert_int_equal(v->c->trap.kind, RISCV64_TRAP_fetch_access);
  faulted(v, STEP_TRAP, SIGSEGV, code, at);
}

static void test_code(void **state) {
  (void)state;
  struct vcpu *v = world();
  int pipes[2];
  uint32_t old;
  uint8_t ok;
  map(AT, 2, RWX);
  put(AT, 1);
  assert_int_equal(run(v, AT), 1);
  /* Every way to write. */
  put(AT, 2);
  assert_int_equal(run(v, AT), 2);
  assert_int_equal(mem_store32(v, AT + 4, 0, LI_A0(3)), 0);
  assert_int_equal(run(v, AT), 3);
  assert_int_equal(mem_store_slow(v, AT + 4, 0, 4, LI_A0(4)), 0);
  assert_int_equal(run(v, AT), 4);
  assert_int_equal(mem_rmw32(v, AT + 4, 0, RMW_SWAP, LI_A0(5), &old), 0);
  assert_int_equal(run(v, AT), 5);
  assert_int_equal(mem_load_ex32(v, AT + 4, 0, &old), 0);
  assert_int_equal(mem_store_ex32(v, AT + 4, 0, LI_A0(6), &ok), 0);
  assert_true(ok && old == LI_A0(5));
  assert_int_equal(run(v, AT), 6);
  assert_int_equal(mem_store64(v, AT - 4 + 8, 0, (uint64_t)ECALL << 32 | LI_A0(7)), 0);
  assert_int_equal(run(v, AT), 7);
  put(AT + PAGE - 6, 8); /* across pages: the second one is not code then, but its bytes are looked at */
  assert_int_equal(run(v, AT + PAGE - 6), 8);
  put(AT + PAGE - 6, 9);
  assert_int_equal(run(v, AT + PAGE - 6), 9);
  put(AT, 7);
  assert_int_equal(run(v, AT), 7);
  /* A system call: the host's kernel may not write to a code page before it is told. */
  const uint32_t next[] = {FENCE_I, LI_A0(10), ECALL};
  assert_int_equal(pipe(pipes), 0);
  assert_int_equal(write(pipes[1], next, sizeof next), sizeof next);
  assert_int_equal(syscall(SYS_read, pipes[0], (long)AT, sizeof next), -1);
  assert_int_equal(errno, EFAULT);
  assert_int_equal(space_kernel_writes(s, AT, sizeof next), 0);
  assert_int_equal(syscall(SYS_read, pipes[0], (long)AT, sizeof next), sizeof next);
  assert_int_equal(run(v, AT), 10);
  close(pipes[0]), close(pipes[1]);
  /* Rights and mappings that come and go. */
  assert_int_equal(space_protect(s, AT, PAGE, PROT_READ), 0);
  no_fetch(v, AT, SEGV_ACCERR);
  assert_int_equal(space_protect(s, AT, PAGE, PROT_READ | PROT_EXEC), 0);
  assert_int_equal(run(v, AT), 10);
  faulted(v, mem_store8(v, AT, 0, 1), SIGSEGV, SEGV_ACCERR, AT);
  assert_int_equal(space_unmap(s, AT, PAGE), 0);
  no_fetch(v, AT, SEGV_MAPERR);
  map(AT, 1, RWX);
  put(AT, 11);
  assert_int_equal(run(v, AT), 11);
  map(AT, 1, RWX); /* over itself */
  put(AT, 12);
  assert_int_equal(run(v, AT), 12);
  map(AT + 4 * PAGE, 1, RWX);
  put(AT + 4 * PAGE, 13);
  assert_int_equal(space_remap(s, AT + 4 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT), AT);
  assert_int_equal(run(v, AT), 13);
  assert_int_equal(space_advise(s, AT, PAGE, MADV_DONTNEED), 0);
  put(AT, 14);
  assert_int_equal(run(v, AT), 14);
  assert_int_equal(space_protect(s, AT, PAGE, PROT_EXEC), 0); /* not readable to the guest */
  assert_int_equal(run(v, AT), 14);
  leave(v);
}

/* One memory at two addresses, as programs have it that never map writable code: a fence is enough. */
static void test_aliased_code(void **state) {
  (void)state;
  struct vcpu *v = world();
  const int fd = memfd_create("jit", 0);
  assert_int_equal(ftruncate(fd, PAGE), 0);
  assert_int_equal(space_map(s, AT, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0), AT);
  assert_int_equal(space_map(s, AT + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0), AT + PAGE);
  for (unsigned n = 1; n < 5; n++) {
    put(AT + PAGE, n);
    assert_int_equal(run(v, AT), n);
  }
  close(fd);
  leave(v);
}

/* ---- threads ---- */

enum { THREADS = 4 };
static unsigned rounds;
static uint32_t stop;

static void *adder(void *arg) {
  struct vcpu *v = arg;
  uint32_t w;
  uint64_t d;
  uint16_t h;
  u128 q, was;
  MUST((os_fault_thread()) == 0);
  for (unsigned i = 0; i < rounds; i++) {
    MUST((mem_rmw32(v, AT, 0, RMW_ADD, 1, &w)) == 0);
    MUST((mem_rmw64(v, AT + 17, 0, RMW_ADD, 1, &d)) == 0);       /* inside 16 bytes */
    MUST((mem_rmw64(v, AT + 32 + 12, 0, RMW_ADD, 1, &d)) == 0);  /* in two of them */
    MUST((mem_rmw16(v, AT + PAGE - 1, 0, RMW_ADD, 1, &h)) == 0); /* in two pages */
    MUST((mem_load128(v, AT + 64, 0, &q)) == 0);
    for (;; q = was) {
      MUST((mem_cas128(v, AT + 64, 0, q, q + 1, &was)) == 0);
      if (was == q) break;
    }
    for (uint8_t ok = 0; !ok;) {
      MUST((mem_load_ex64(v, AT + 80, 0, &d)) == 0);
      MUST((mem_store_ex64(v, AT + 80, 0, d + 1, &ok)) == 0);
    }
  }
  os_fault_thread_end();
  return NULL;
}

static void test_atomics(void **state) {
  (void)state;
  struct vcpu *v = world(), *others[THREADS];
  pthread_t thread[THREADS];
  uint64_t d = 0;
  uint16_t h = 0;
  uint32_t w;
  rounds = 20000;
  map(AT, 2, RW);
  map(AT + 2 * PAGE, 1, PROT_READ);
  for (unsigned i = 0; i < THREADS; i++) {
    others[i] = new_vcpu();
    pthread_create(&thread[i], NULL, adder, others[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  static const gva_t at[] = {AT, AT + 17, AT + 44, AT + 64, AT + 80};
  for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
    assert_int_equal(mem_load64(v, at[i], 0, &d), 0);
    assert_int_equal(d, THREADS * rounds);
  }
  assert_int_equal(mem_load16(v, AT + PAGE - 1, 0, &h), 0);
  assert_int_equal(h, (uint16_t)(THREADS * rounds));
  faulted(v, mem_rmw32(v, AT + 2 * PAGE, 0, RMW_OR, 0, &w), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
  faulted(v, mem_cas32(v, AT + 2 * PAGE, 0, 1, 2, &w), SIGSEGV, SEGV_ACCERR,
          AT + 2 * PAGE); /* though it differs */
  faulted(v, mem_rmw32(v, AT + 2 * PAGE - 2, 0, RMW_ADD, 1, &w), SIGSEGV, SEGV_ACCERR, AT + 2 * PAGE);
  for (unsigned i = 0; i < THREADS; i++) vcpu_free(others[i]);
  leave(v);
}

/* Accesses while another thread changes mappings: each is made, or is a fault of that very byte. */
static void *prober(void *arg) {
  struct vcpu *v = arg;
  uint64_t x, seen = 0;
  uint32_t mine = (uint32_t)(uintptr_t)v, w;
  for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
    mine = mine * 1664525 + 1013904223;
    const gva_t a = AT + mine / 256 % (7 * PAGE);
    const int rc = i % 3 == 0   ? mem_load64(v, a, 0, &x)
                   : i % 3 == 1 ? mem_store64(v, a, 0, 7)
                                : mem_rmw32(v, a & ~(gva_t)3, 0, RMW_ADD, 1, &w);
    if (!rc) continue;
    seen++;
    MUST((v->c->fault.signal) == SIGSEGV);
    MUST(v->c->fault.addr - (a & ~(gva_t)3) < 12);
  }
  return (void *)(uintptr_t)seen;
}

static void *runner(void *arg) {
  struct vcpu *v = arg;
  uint64_t seen = 0, last = 0;
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    const uint64_t now = run(v, AT + 16 * PAGE);
    seen += now != last;
    MUST(now >= last); /* never an older one again */
    last = now;
  }
  return (void *)(uintptr_t)seen;
}

static void test_hammer(void **state) {
  (void)state;
  struct vcpu *v = world(), *a = new_vcpu(), *b = new_vcpu(), *c = new_vcpu();
  const unsigned turns = getenv("ISOMER_FULL") ? 200000 : 4000;
  pthread_t thread[3];
  void *seen[3];
  stop = 0;
  map(AT + 16 * PAGE, 1, RWX);
  put(AT + 16 * PAGE, 0);
  pthread_create(&thread[0], NULL, prober, a);
  pthread_create(&thread[1], NULL, prober, b);
  pthread_create(&thread[2], NULL, runner, c);
  seed = 3;
  for (unsigned n = 0; n < turns; n++) {
    const unsigned p = any(7), len = (1 + any(7 - p)) * PAGE;
    switch (any(5)) {
    case 0: space_unmap(s, AT + p * PAGE, len); break;
    case 1: space_protect(s, AT + p * PAGE, len, any(2) ? RW : PROT_READ); break;
    case 2:
      space_remap(s, AT + p * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + any(7) * PAGE);
      break;
    default: map(AT + p * PAGE, len / PAGE, RW);
    }
    assert_int_equal(mem_store32(v, AT + 16 * PAGE + 4, 0, LI_A0(n / 4 % 2048)), 0);
    if (n / 4 >= 2047) break;
  }
  for (unsigned n = 0; n < turns; n++) map(AT + any(7) * PAGE, 1, RW);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (unsigned i = 0; i < 3; i++) pthread_join(thread[i], &seen[i]);
  assert_true((uintptr_t)seen[2] > 0);
  vcpu_free(a), vcpu_free(b), vcpu_free(c);
  leave(v);
}

/* A fork while others work: the child's vCPU goes on alone. */
static void test_fork(void **state) {
  (void)state;
  struct vcpu *v = world(), *a = new_vcpu();
  pthread_t thread;
  stop = 0;
  map(AT, 8, RW);
  map(AT + 16 * PAGE, 1, RWX);
  put(AT + 16 * PAGE, 1);
  assert_int_equal(run(v, AT + 16 * PAGE), 1);
  pthread_create(&thread, NULL, prober, a);
  for (unsigned n = 0; n < 20; n++) {
    int status;
    space_fork_prepare(s);
    const pid_t pid = fork();
    space_fork_done(s, !pid);
    if (!pid) {
      put(AT + 16 * PAGE, 2);
      map(AT + 20 * PAGE, 1, RW);
      _exit(run(v, AT + 16 * PAGE) == 2 && !space_unmap(s, AT, 8 * PAGE) ? 42 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(run(v, AT + 16 * PAGE), 1);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  pthread_join(thread, NULL);
  vcpu_free(a);
  leave(v);
}

/* ---- faults that are not the guest's ---- */

static int how_it_dies(void (*fn)(void)) {
  int status;
  const pid_t pid = fork();
  if (!pid) {
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    os_fault_install();
    fn();
    _exit(0);
  }
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static volatile uintptr_t nowhere = 8;
static void own_crash(void) { *(volatile char *)nowhere = 1; }
static void sent(void) { kill(getpid(), SIGBUS); }
static bool claim(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info, (void)context;
  _exit(7);
}
static void hooked(void) {
  os_fault_hooks(claim, NULL);
  own_crash();
}
static void hooked_sent(void) {
  os_fault_hooks(NULL, claim);
  sent();
}
static void last_words(int sig) {
  (void)sig;
  _exit(9);
}
static void chained(void) {
  signal(SIGSEGV, last_words);
  os_fault_install();
  own_crash();
}

static void test_own_faults(void **state) {
  (void)state;
#if !defined(__SANITIZE_ADDRESS__) /* which may have been first */
  assert_int_equal(how_it_dies(own_crash), SIGSEGV);
#endif
  assert_int_equal(how_it_dies(sent), SIGBUS);
  assert_int_equal(how_it_dies(hooked), -7);
  assert_int_equal(how_it_dies(hooked_sent), -7);
  assert_int_equal(how_it_dies(chained), -9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_faults),       cmocka_unit_test(test_file_end),
      cmocka_unit_test(test_system_calls), cmocka_unit_test(test_against_host),
      cmocka_unit_test(test_places),       cmocka_unit_test(test_code),
      cmocka_unit_test(test_aliased_code), cmocka_unit_test(test_atomics),
      cmocka_unit_test(test_hammer),       cmocka_unit_test(test_fork),
      cmocka_unit_test(test_own_faults),
  };
  isa = isa_find("riscv64");
  return isa ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
