/* x86_64: rules of prefixes and lengths in the decoder, faults, system call, code that changes itself or crosses a page.
 * What instructions compute is compared with the processor in tests/oracle/native_x86_64.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "core/engine.h"
#include "core/isa.h"
#include "mem/space.h"
#include "x86_64/insn.h"
#include "x86_64/state.h"

enum { CODE = 0x400000, DATA = 0x600000 };

static const struct isa *isa;

/* Length, 0 or -1; *i: what was decoded. */
static int decode_n(const char *bytes, size_t n, struct x86_64_insn *i) {
  return isa->decode(isa->default_features, (const uint8_t *)bytes, n, &i->head);
}
#define DECODE(s, i) decode_n(s, sizeof(s) - 1, i)

static const char *text(const char *bytes, size_t n) {
  static char buf[128];
  struct x86_64_insn i;
  if (decode_n(bytes, n, &i) <= 0) return "-";
  isa->disasm(&i.head, 0, 0, buf, sizeof buf);
  return buf;
}
#define TEXT(s) text(s, sizeof(s) - 1)

/* SDM volume 2, 2.1 and 2.2: prefixes. */
static void test_prefixes(void **state) {
  (void)state;
  struct x86_64_insn i;
  assert_string_equal(TEXT("\xf2\xf3\x0f\xbc\xc1"), "tzcnt eax, ecx"); /* the last of F2, F3 counts */
  assert_string_equal(TEXT("\xf3\xf2\x0f\xbc\xc1"), "bsf eax, ecx");
  assert_string_equal(TEXT("\x48\x66\x01\xc0"), "add ax, ax"); /* REX counts only right before the opcode */
  assert_string_equal(TEXT("\x48\x41\x01\xc0"), "add r8d, eax");
  assert_string_equal(TEXT("\x66\x48\x01\xc0"), "add rax, rax"); /* W beats 66 */
  assert_string_equal(TEXT("\x66\xf3\x0f\xb8\xc1"),
                      "popcnt ax, cx"); /* 66 gives the size beside a mandatory F3 */
  assert_string_equal(TEXT("\x88\xe0"), "mov al, ah");
  assert_string_equal(TEXT("\x40\x88\xe0"), "mov al, spl");
  assert_string_equal(TEXT("\x64\x65\x8b\x00"), "mov eax, dword ptr gs:[rax]"); /* the last of FS, GS */
  assert_string_equal(TEXT("\x64\x2e\x8b\x00"), "mov eax, dword ptr fs:[rax]"); /* CS means nothing */
  assert_string_equal(TEXT("\xf0\x01\x00"), "lock add dword ptr [rax], eax");
  assert_int_equal(DECODE("\xf0\x01\xc0", &i), 0); /* a register cannot be locked */
  assert_int_equal(DECODE("\xf0\x39\x00", &i), 0); /* cmp writes nothing */
  assert_int_equal(DECODE("\xf0\x03\x00", &i), 0); /* the destination is a register */
  assert_string_equal(TEXT("\xc5\xf1\xfc\xc2"), "vpaddb xmm0, xmm1, xmm2");
  assert_int_equal(DECODE("\x66\xc5\xf1\xfc\xc2", &i), 0); /* VEX after 66, F2, F3, LOCK, REX: 2.3.2, 2.3.3 */
  assert_int_equal(DECODE("\xf3\xc5\xf1\xfc\xc2", &i), 0);
  assert_int_equal(DECODE("\xf0\xc5\xf1\xfc\xc2", &i), 0);
  assert_int_equal(DECODE("\x48\xc5\xf1\xfc\xc2", &i), 0);
  assert_int_equal(DECODE("\xc5\xf1\x6f\xc2", &i), 0); /* vmovdqa has no second source: vvvv must be 1111 */
  assert_string_equal(TEXT("\x90"), "nop");
  assert_string_equal(TEXT("\x41\x90"), "xchg eax, r8d");
  assert_string_equal(TEXT("\xf3\x90"), "pause");
}

/* 15 bytes at most (2.3.11); an instruction that ends behind the readable bytes asks for more, however it is cut. */
static void test_length(void **state) {
  (void)state;
  struct x86_64_insn i;
  static const char *const insns[] = {"\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x01\xc0",
                                      "\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08",
                                      "\x66\x0f\x38\x29\xc1",
                                      "\xc4\xe2\x71\x29\xc2",
                                      "\xf0\x48\x81\x84\x88\x01\x02\x03\x04\x05\x06\x07\x08",
                                      "\x0f\x84\x01\x02\x03\x04",
                                      "\xf3\x0f\x1e\xfa"};
  static const unsigned char lengths[] = {15, 10, 5, 5, 13, 6, 4};
  for (unsigned k = 0; k < ARRAY_SIZE(insns); k++) {
    assert_int_equal(decode_n(insns[k], lengths[k], &i), lengths[k]);
    for (unsigned n = 0; n < lengths[k]; n++) assert_int_equal(decode_n(insns[k], n, &i), -1);
  }
  assert_int_equal(DECODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x01\xc0", &i), 0);
  assert_true(i.head.len > 15);
  assert_int_equal(DECODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66", &i), 0);
  assert_true(i.head.len > 15);
}

/* A feature that is off: what it overrides comes back, what is its own is undefined. */
static void test_features(void **state) {
  (void)state;
  struct x86_64_insn i;
  char buf[64];
  const uint64_t bmi = UINT64_C(1) << X86_64_FEATURE_BMI1, avx = UINT64_C(1) << X86_64_FEATURE_AVX;
  assert_int_equal(isa->decode(isa->default_features & ~bmi, (const uint8_t *)"\xf3\x0f\xbc\xc1", 4, &i.head),
                   4);
  isa->disasm(&i.head, 0, 0, buf, sizeof buf);
  assert_string_equal(buf, "bsf eax, ecx");
  assert_int_equal(isa->decode(isa->default_features & ~avx, (const uint8_t *)"\xc5\xf9\x6f\xc2", 4, &i.head),
                   0);
}

/* ---- a program ---- */

struct world {
  struct space *space;
  struct vcpu *v;
};

static struct world world(void) {
  struct world w;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  w.space = space_new(0x10000, (gva_t)1 << SPACE_BITS);
  w.v = vcpu_new(isa, NULL, 0, isa->default_features);
  assert_int_equal(space_attach(w.space, w.v), 0);
  assert_int_equal(space_map(w.space, CODE, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0), CODE);
  assert_int_equal(space_map(w.space, DATA, 0x1000, PROT_READ | PROT_WRITE, flags, -1, 0), DATA);
  assert_int_equal(engine_select(w.v, "interp"), 0);
  isa->arch->user_entry(w.v, CODE, DATA + 0x800);
  w.v->c->trap_exits = true;
  return w;
}

static void leave(struct world *w) {
  vcpu_free(w->v);
  space_free(w->space);
}

/* Runs bytes at `at` until a trap; its kind. */
static uint32_t trap_of(struct world *w, gva_t at, const char *bytes, size_t n) {
  assert_int_equal(space_write(w->space, at, bytes, n), 0);
  w->v->pc = at;
  vcpu_set_budget(w->v, 1000);
  assert_int_equal(w->v->c->engine_ops->run(w->v), EXIT_TRAP);
  return w->v->c->trap.kind;
}
#define TRAP(w, s) trap_of(w, CODE, s, sizeof(s) - 1)

static void test_traps(void **state) {
  (void)state;
  struct world w = world();
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)w.v;
  assert_int_equal(TRAP(&w, "\x0f\x0b"), X86_64_TRAP_UD);
  assert_int_equal(TRAP(&w, "\x0f\xff\xc0\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"), X86_64_TRAP_UD);
  assert_int_equal(TRAP(&w, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x01\xc0"),
                   X86_64_TRAP_GP);
  assert_int_equal(TRAP(&w, "\xf4"), X86_64_TRAP_GP);
  s->r[0] = 0x1000;
  assert_int_equal(TRAP(&w, "\x89\x00"), X86_64_TRAP_PF); /* mov [rax], eax */
  assert_int_equal(w.v->c->trap.arg[0], 6);               /* a write in user mode */
  assert_int_equal(w.v->c->trap.arg[1], 0x1000);
  assert_int_equal(TRAP(&w, "\x8b\x00"), X86_64_TRAP_PF);
  assert_int_equal(w.v->c->trap.arg[0], 4);
  assert_int_equal(TRAP(&w, "\xff\xe0"), X86_64_TRAP_PF); /* jmp rax: the fetch faults */
  assert_int_equal(w.v->c->trap.arg[0], 0x14);
  assert_int_equal(w.v->pc, 0x1000);
  s->r[0] = UINT64_C(1) << 47;
  assert_int_equal(TRAP(&w, "\x8b\x00"), X86_64_TRAP_GP);
  leave(&w);
}

/* SDM, SYSCALL: rcx is the return address, r11 the flags; the kernel's result goes to rax and execution goes on behind. */
static void test_syscall(void **state) {
  (void)state;
  struct world w = world();
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)w.v;
  uint64_t nr, arg[6];
  for (unsigned i = 0; i < 16; i++) s->r[i] = 100 + i;
  s->CF = s->ZF = s->DF = 1;
  s->PF = s->AF = s->SF = s->OF = 0;
  assert_int_equal(TRAP(&w, "\x90\x48\x0f\x05"), X86_64_TRAP_syscall);
  assert_int_equal(w.v->pc, CODE + 1);
  assert_int_equal(s->r[1], CODE + 4);
  assert_int_equal(s->r[11], 0x643); /* CF, the bit that is always 1, ZF, IF as always in user mode, DF */
  assert_true(isa->arch->user_syscall(w.v, &nr, arg));
  assert_int_equal(nr, 100);
  static const uint64_t expect[6] = {107, 106, 102, 110, 108, 109}; /* rdi rsi rdx r10 r8 r9 */
  assert_memory_equal(arg, expect, sizeof arg);
  isa->arch->user_result(w.v, -2);
  assert_true(s->r[0] == (uint64_t)-2);
  assert_int_equal(w.v->pc, CODE + 4);
  leave(&w);
}

/* Instruction fetch is coherent (volume 3, 9.1.3 and 12.6): a store into the same straight line counts at once. */
static void test_self_modifying(void **state) {
  (void)state;
  struct world w = world();
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)w.v;
  /* mov byte ptr [rip + 1], 0xff changes inc eax (ff c0) behind it: the immediate of mov ebx, 1 becomes 0xff. */
  assert_int_equal(TRAP(&w, "\xc6\x05\x01\x00\x00\x00\xff\xbb\x01\x00\x00\x00\x0f\x0b"), X86_64_TRAP_UD);
  assert_int_equal(s->r[3], 0xff);
  /* A loop that counts its own immediate up: the sum of 1, 2 and 3. add eax, imm; inc imm; dec ecx; jnz. */
  s->r[0] = 0;
  s->r[1] = 3;
  assert_int_equal(TRAP(&w, "\x05\x01\x00\x00\x00\xfe\x05\xf6\xff\xff\xff\xff\xc9\x75\xf1\x0f\x0b"),
                   X86_64_TRAP_UD);
  assert_int_equal(s->r[0], 6);
  leave(&w);
}

/* An instruction of ten bytes at every place across a page boundary; with the second page gone, a fault at its address. */
static void test_page_crossing(void **state) {
  (void)state;
  struct world w = world();
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)w.v;
  static const char bytes[] = "\x48\xb8\x08\x07\x06\x05\x04\x03\x02\x01\x0f\x0b";
  for (unsigned before = 1; before < 11; before++) {
    s->r[0] = 0;
    assert_int_equal(trap_of(&w, CODE + 0x1000 - before, bytes, 12), X86_64_TRAP_UD);
    assert_true(s->r[0] == 0x0102030405060708);
  }
  assert_int_equal(space_unmap(w.space, CODE + 0x1000, 0x1000), 0);
  assert_int_equal(trap_of(&w, CODE + 0xffb, bytes, 5), X86_64_TRAP_PF);
  assert_int_equal(w.v->pc, CODE + 0xffb);
  assert_int_equal(w.v->c->trap.arg[1], CODE + 0x1000);
  leave(&w);
}

/* rep: one repetition is one step, and each is complete: a fault in the third leaves two done. */
static void test_repeat(void **state) {
  (void)state;
  struct world w = world();
  struct x86_64_vcpu *s = (struct x86_64_vcpu *)w.v;
  uint8_t got[4];
  s->r[0] = 0xab;
  s->r[1] = 10;
  s->r[7] = DATA + 0xffe;
  assert_int_equal(TRAP(&w, "\xf3\xaa"), X86_64_TRAP_PF); /* rep stosb */
  assert_int_equal(s->r[1], 8);
  assert_int_equal(s->r[7], DATA + 0x1000);
  assert_int_equal(w.v->pc, CODE);
  assert_int_equal(space_read(w.space, DATA + 0xffe, got, 2), 0);
  assert_memory_equal(got, "\xab\xab", 2);
  leave(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_prefixes),      cmocka_unit_test(test_length),
      cmocka_unit_test(test_features),      cmocka_unit_test(test_traps),
      cmocka_unit_test(test_syscall),       cmocka_unit_test(test_self_modifying),
      cmocka_unit_test(test_page_crossing), cmocka_unit_test(test_repeat),
  };
  isa = isa_find("x86_64");
  return isa ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
