/* A register machine interpreted by a switch: the guest's own indirect jumps. It sieves primes. */
#include "bench.h"

enum op { LI, MOV, ADD, ADDI, MUL, LT, JZ, JMP, LOADB, STOREB, HALT };
struct insn {
  uint8_t op, a, b, c;
  int32_t k;
};

/* r0 limit, r1 i, r2 j, r3 flag, r4 count, r5 one */
static const struct insn program[] = {
    {LI, 5, 0, 0, 1},     {LI, 4, 0, 0, 0},   {LI, 1, 0, 0, 2},   /* i = 2 */
    {LT, 3, 1, 0, 0},     {JZ, 3, 0, 0, 17},                      /* 3: while i < limit */
    {LOADB, 3, 1, 0, 0},  {JZ, 3, 0, 0, 9},   {ADDI, 1, 1, 0, 1}, /* composite: next */
    {JMP, 0, 0, 0, 3},    {ADDI, 4, 4, 0, 1},                     /* 9: a prime */
    {ADD, 2, 1, 1, 0},                                            /* j = 2 i */
    {LT, 3, 2, 0, 0},     {JZ, 3, 0, 0, 7},                       /* 11 */
    {STOREB, 5, 2, 0, 0}, {ADD, 2, 2, 1, 0},  {JMP, 0, 0, 0, 11}, {HALT, 0, 0, 0, 0}, {HALT, 0, 0, 0, 0},
};

BENCH_NOINLINE static int64_t run(const struct insn *code, uint8_t *memory, int64_t limit) {
  int64_t r[8] = {limit};
  for (const struct insn *p = code;;) {
    const struct insn i = *p++;
    switch ((enum op)i.op) {
    case LI: r[i.a] = i.k; break;
    case MOV: r[i.a] = r[i.b]; break;
    case ADD: r[i.a] = r[i.b] + r[i.c]; break;
    case ADDI: r[i.a] = r[i.b] + i.k; break;
    case MUL: r[i.a] = r[i.b] * r[i.c]; break;
    case LT: r[i.a] = r[i.b] < r[i.c]; break;
    case JZ:
      if (!r[i.a]) p = code + i.k;
      break;
    case JMP: p = code + i.k; break;
    case LOADB: r[i.a] = memory[r[i.b]]; break;
    case STOREB: memory[r[i.b]] = (uint8_t)r[i.a]; break;
    case HALT: return r[4];
    }
  }
}

int main(int argc, char **argv) {
  enum { LIMIT = 20000 };
  static uint8_t memory[LIMIT];
  int64_t sum = 0;
  for (long n = bench_rounds(argc, argv, 60), i = 0; i < n; i++) {
    memset(memory, 0, sizeof memory);
    sum += run(program, memory, LIMIT - i % 7);
  }
  printf("bytecode %lld\n", (long long)sum);
}
