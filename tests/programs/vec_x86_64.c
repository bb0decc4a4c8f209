/* Packed integer add, subtract, compare and logic in SSE2, VEX.128 and VEX.256
 * form, one function per instruction. */
#include <immintrin.h>

#include "prog.h"

#define KERNEL(name, isa, T, ld, st, op)                                                           \
  __attribute__((noinline, target(isa))) static void name(const void *a, const void *b, void *r) { \
    st((T *)r, op(ld((const T *)a), ld((const T *)b)));                                            \
  }

#define VEX(n, op128, op256)                                               \
  KERNEL(v_##n, "avx2", __m128i, _mm_loadu_si128, _mm_storeu_si128, op128) \
  KERNEL(y_##n, "avx2", __m256i, _mm256_loadu_si256, _mm256_storeu_si256, op256)
#define ALL(n, op128, op256)                                               \
  KERNEL(s_##n, "sse2", __m128i, _mm_loadu_si128, _mm_storeu_si128, op128) \
  VEX(n, op128, op256)
#define EPI(n, op, w) ALL(n##w, _mm_##op##_epi##w, _mm256_##op##_epi##w)

EPI(add, add, 8)
EPI(add, add, 16)
EPI(add, add, 32)
EPI(add, add, 64)
EPI(sub, sub, 8)
EPI(sub, sub, 16)
EPI(sub, sub, 32)
EPI(sub, sub, 64)
EPI(eq, cmpeq, 8)
EPI(eq, cmpeq, 16)
EPI(eq, cmpeq, 32)
EPI(gt, cmpgt, 8)
EPI(gt, cmpgt, 16)
EPI(gt, cmpgt, 32)
ALL(and, _mm_and_si128, _mm256_and_si256)
ALL(andn, _mm_andnot_si128, _mm256_andnot_si256)
ALL(or, _mm_or_si128, _mm256_or_si256)
ALL(xor, _mm_xor_si128, _mm256_xor_si256)
VEX(eq64, _mm_cmpeq_epi64, _mm256_cmpeq_epi64)
VEX(gt64, _mm_cmpgt_epi64, _mm256_cmpgt_epi64)

/* Legacy writes keep the bits above 127, VEX.128 writes clear them. */
__attribute__((noinline, target("avx2"))) static void upper(const uint64_t *a, const uint64_t *b,
                                                            uint64_t *r) {
  __asm__ volatile("vmovdqu (%0), %%ymm3\n\t"
                   "vmovdqu (%1), %%ymm12\n\t"
                   "paddd %%xmm12, %%xmm3\n\t"
                   "vmovdqu %%ymm3, (%2)\n\t"
                   "vpsubd %%xmm12, %%xmm3, %%xmm3\n\t"
                   "vmovdqu %%ymm3, 32(%2)\n\t"
                   "vpxor 16(%1), %%xmm12, %%xmm9\n\t"
                   "vpaddq %%ymm9, %%ymm12, %%ymm9\n\t"
                   "vmovdqu %%ymm9, 64(%2)\n\t"
                   "pcmpeqw (%3), %%xmm12\n\t"
                   "vmovdqu %%ymm12, 96(%2)\n\t"
                   "vzeroupper\n\t"
                   :
                   : "r"(a), "r"(b), "r"(r), "r"(b)
                   : "xmm3", "xmm9", "xmm12", "memory");
}

#define ROW_V(n) \
  {"v." #n, v_##n, 16}, { "y." #n, y_##n, 32 }
#define ROW(n) {"s." #n, s_##n, 16}, ROW_V(n)

static const struct {
  const char *name;
  void (*fn)(const void *, const void *, void *);
  int bytes;
} table[] = {ROW(add8),  ROW(add16), ROW(add32), ROW(add64), ROW(sub8),   ROW(sub16), ROW(sub32),
             ROW(sub64), ROW(eq8),   ROW(eq16),  ROW(eq32),  ROW(gt8),    ROW(gt16),  ROW(gt32),
             ROW(and),   ROW(andn),  ROW(or),    ROW(xor),   ROW_V(eq64), ROW_V(gt64)};

/* 16-byte aligned so that a legacy memory operand is allowed. */
static _Alignas(32) uint64_t a[4], b[4], r[16];

int prog_main(void) {
  uint64_t seed = 0x0123456789abcdef, sum = 0;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    for (int round = 0; round < 40; round++) {
      for (int j = 0; j < 4; j++) {
        a[j] = rng_next(&seed);
        b[j] = rng_next(&seed);
        if (round % 4 == 1) /* some equal lanes, some that differ in one bit */
          b[j] = a[j] ^ (b[j] & 0x0100000001000080);
        if (round % 4 == 2) a[j] = 0x7fff80007f80ff00, b[j] = 0x80007fff80ff00ff;
        r[j] = rng_next(&seed);
      }
      table[i].fn(a, b, r);
      for (int j = 0; j < 4; j++) sum = (sum << 5 | sum >> 59) ^ r[j];
      if (round < 2) put_bytes(table[i].name, r, table[i].bytes);
    }
    put_kv(table[i].name, sum);
  }
  upper(a, b, r);
  for (int i = 0; i < 4; i++) put_bytes("upper", r + 4 * i, 32);
  return (int)(sum % 100);
}
