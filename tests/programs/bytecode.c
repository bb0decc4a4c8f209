/* A stack machine with a switch and a table-driven part: indirect jumps, calls
 * through pointers, sub-word memory, shifts and rotates of all widths. */
#include "prog.h"

enum {
  HALT,
  PUSH,  /* signed byte */
  PUSHL, /* four bytes, sign-extended */
  LOAD,
  STORE,
  DUP,
  SWAP,
  DROP,
  JMP, /* two bytes: the target */
  JZ,
  JLT, /* a b: jump if a < b */
  CALL,
  RET,
  LDB, /* memory, by width */
  STB,
  LDH,
  STH,
  LDW,
  STW,
  LDQ,
  STQ,
  PRINT,
  ALU /* ALU + n: the table below */
};

static int64_t op_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t op_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t op_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t op_div(int64_t a, int64_t b) { return b ? b == -1 ? op_sub(0, a) : a / b : -1; }
static int64_t op_rem(int64_t a, int64_t b) { return b ? b == -1 ? 0 : a % b : a; }
static int64_t op_and(int64_t a, int64_t b) { return a & b; }
static int64_t op_or(int64_t a, int64_t b) { return a | b; }
static int64_t op_xor(int64_t a, int64_t b) { return a ^ b; }
static int64_t op_shl(int64_t a, int64_t b) { return (int64_t)((uint64_t)a << (b & 63)); }
static int64_t op_shr(int64_t a, int64_t b) { return (int64_t)((uint64_t)a >> (b & 63)); }
static int64_t op_sar(int64_t a, int64_t b) { return a >> (b & 63); }
static int64_t op_ltu(int64_t a, int64_t b) { return (uint64_t)a < (uint64_t)b; }
static int64_t op_eq(int64_t a, int64_t b) { return a == b; }
static int64_t op_rol32(int64_t a, int64_t b) {
  uint32_t x = (uint32_t)a;
  return (int32_t)(x << (b & 31) | x >> (-b & 31));
}
static int64_t op_rol16(int64_t a, int64_t b) {
  uint16_t x = (uint16_t)a;
  return (uint16_t)(x << (b & 15) | x >> (-b & 15));
}
static int64_t op_sar32(int64_t a, int64_t b) { return (int32_t)a >> (b & 31); }
static int64_t op_bswap(int64_t a, int64_t b) {
  return (int64_t)(__builtin_bswap64((uint64_t)a) ^ __builtin_bswap32((uint32_t)b));
}
static int64_t op_clz(int64_t a, int64_t b) {
  return __builtin_clzll((uint64_t)a | 1) * 100 + __builtin_ctzll((uint64_t)b | 1ull << 63);
}
static int64_t op_max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t op_minu(int64_t a, int64_t b) { return (uint64_t)a < (uint64_t)b ? a : b; }

static int64_t (*const alu[])(int64_t, int64_t) = {
    op_add, op_sub, op_mul, op_div,   op_rem,   op_and,   op_or,    op_xor, op_shl, op_shr,
    op_sar, op_ltu, op_eq,  op_rol32, op_rol16, op_sar32, op_bswap, op_clz, op_max, op_minu};
enum {
  ADD = ALU,
  SUB,
  MUL,
  DIV,
  REM,
  AND,
  OR,
  XOR,
  SHL,
  SHR,
  SAR,
  LTU,
  EQ,
  ROL32,
  ROL16,
  SAR32,
  BSWAP,
  CLZ,
  MAX,
  MINU,
  LAST
};

struct vm {
  int64_t stack[64];
  const uint8_t *calls[32];
  int64_t local[26];
  uint8_t mem[4096];
  long steps;
};

static int run(struct vm *vm, const uint8_t *code) {
  const uint8_t *pc = code;
  int64_t *sp = vm->stack;
  int rp = 0;
  int64_t a;
  for (;;) {
    int op = *pc++;
    vm->steps++;
    switch (op) {
    case HALT: return (int)*--sp & 255;
    case PUSH: *sp++ = (int8_t)*pc++; break;
    case PUSHL:
      *sp++ =
          (int32_t)((uint32_t)pc[0] | (uint32_t)pc[1] << 8 | (uint32_t)pc[2] << 16 | (uint32_t)pc[3] << 24);
      pc += 4;
      break;
    case LOAD: *sp++ = vm->local[*pc++ % 26]; break;
    case STORE: vm->local[*pc++ % 26] = *--sp; break;
    case DUP:
      sp[0] = sp[-1];
      sp++;
      break;
    case SWAP:
      a = sp[-1];
      sp[-1] = sp[-2];
      sp[-2] = a;
      break;
    case DROP: sp--; break;
    case JMP: pc = code + (pc[0] | pc[1] << 8); break;
    case JZ: pc = *--sp == 0 ? code + (pc[0] | pc[1] << 8) : pc + 2; break;
    case JLT:
      sp -= 2;
      pc = sp[0] < sp[1] ? code + (pc[0] | pc[1] << 8) : pc + 2;
      break;
    case CALL:
      vm->calls[rp++ & 31] = pc + 2;
      pc = code + (pc[0] | pc[1] << 8);
      break;
    case RET: pc = vm->calls[--rp & 31]; break;
    case LDB: sp[-1] = (int8_t)vm->mem[sp[-1] & 4095]; break;
    case LDH: sp[-1] = ((int16_t *)vm->mem)[sp[-1] & 2047]; break;
    case LDW: sp[-1] = ((int32_t *)vm->mem)[sp[-1] & 1023]; break;
    case LDQ: sp[-1] = ((int64_t *)vm->mem)[sp[-1] & 511]; break;
    case STB:
      sp -= 2;
      vm->mem[sp[1] & 4095] = (uint8_t)sp[0];
      break;
    case STH:
      sp -= 2;
      ((uint16_t *)vm->mem)[sp[1] & 2047] = (uint16_t)sp[0];
      break;
    case STW:
      sp -= 2;
      ((uint32_t *)vm->mem)[sp[1] & 1023] = (uint32_t)sp[0];
      break;
    case STQ:
      sp -= 2;
      ((uint64_t *)vm->mem)[sp[1] & 511] = (uint64_t)sp[0];
      break;
    case PRINT:
      put_dec(*--sp);
      put_str("\n");
      break;
    default:
      if (op >= LAST) return 98;
      sp--;
      sp[-1] = alu[op - ALU](sp[-1], sp[0]);
      break;
    }
  }
}

static const char *const names[] = {
    "halt", "push", "pushl", "load",  "store", "dup",   "swap", "drop", "jmp", "jz",  "jlt",
    "call", "ret",  "ldb",   "stb",   "ldh",   "sth",   "ldw",  "stw",  "ldq", "stq", "print",
    "add",  "sub",  "mul",   "div",   "rem",   "and",   "or",   "xor",  "shl", "shr", "sar",
    "ltu",  "eq",   "rol32", "rol16", "sar32", "bswap", "clz",  "max",  "minu"};

static int same(const char *a, const char *b, size_t n) {
  while (n && *a && *a == *b) a++, b++, n--;
  return n == 0 && *a == 0;
}

/* Assembles words: a number is pushed, ":x" is a label of one letter, an
 * instruction may be followed by a label or a local. Returns the size, 0 if a
 * word means nothing. */
static size_t assemble(const char *text, uint8_t *out) {
  uint16_t label[26] = {0};
  size_t n = 0;
  for (int pass = 0; pass < 2; pass++) {
    const char *t = text;
    n = 0;
    while (*t) {
      if (*t == ' ') {
        t++;
        continue;
      }
      const char *w = t;
      while (*t && *t != ' ') t++;
      if (*w == ':') {
        label[(w[1] - 'a') % 26] = (uint16_t)n;
        continue;
      }
      if (*w == '-' || (*w >= '0' && *w <= '9')) {
        int64_t v = 0;
        for (const char *d = w + (*w == '-'); d < t; d++) v = v * 10 + (*d - '0');
        if (*w == '-') v = -v;
        if (v == (int8_t)v) {
          out[n++] = PUSH;
          out[n++] = (uint8_t)v;
        } else {
          out[n++] = PUSHL;
          for (int i = 0; i < 4; i++) out[n++] = (uint8_t)(v >> (8 * i));
        }
        continue;
      }
      int op = 0;
      while (op < LAST && !same(names[op], w, (size_t)(t - w))) op++;
      if (op == LAST) return 0;
      out[n++] = (uint8_t)op;
      if (op == LOAD || op == STORE) {
        while (*t == ' ') t++;
        out[n++] = (uint8_t)(*t++ - 'a');
      } else if (op >= JMP && op <= CALL) {
        while (*t == ' ') t++;
        unsigned to = label[(*t++ - 'a') % 26];
        out[n++] = (uint8_t)to;
        out[n++] = (uint8_t)(to >> 8);
      }
    }
  }
  return n;
}

/* The longest Collatz chain below 400. */
static const char collatz[] = "1 store n 0 store b "
                              ":o load n store x 0 store l "
                              ":i load x 1 eq jz w jmp d "
                              ":w load x 1 and jz e load x 3 mul 1 add store x jmp c "
                              ":e load x 1 shr store x "
                              ":c load l 1 add store l jmp i "
                              ":d load l load b max store b "
                              "load n 1 add dup store n 400 jlt o "
                              "load b dup print halt";

/* Primes below 4096 by a sieve over memory bytes: 564. */
static const char sieve[] = "2 store i 0 store c "
                            ":o load i ldb jz p jmp n "
                            ":p load c 1 add store c load i dup add store j jmp t "
                            ":m 1 load j stb load j load i add store j "
                            ":t load j 4096 jlt m "
                            ":n load i 1 add dup store i 4096 jlt o "
                            "load c dup print halt";

/* Factorial by recursion; 20! and its digits' sum. */
static const char fact[] = "20 store n 1 store r call f load r print "
                           ":s load r jz e load r 10 rem load s add store s load r 10 div store r jmp s "
                           ":e load s dup print halt "
                           ":f load n jz g load r load n mul store r load n 1 sub store n call f "
                           ":g ret";

/* Every operator and memory width over mixed operands. */
static const char mixed[] =
    "-123456789 store a 987654321 store b 0 store i "
    ":l load a load b mul load i add store c "
    "load c load i sth load c load i shr load i stw load c load b xor load i stq load c load i 7 add stb "
    "load i ldh load i ldw add load i ldq xor load i ldb sub store d "
    "load c load d rol32 load c load d rol16 add load c load d sar32 xor load c load d bswap add "
    "load c load d clz sub load c load d minu xor load c load d ltu add load c load d div xor "
    "load c load d rem add load c load d sar add load c load d shl or load c load d and swap drop "
    "load a add store a load d load a max store b "
    "load i 1 add dup store i 300 jlt l "
    "load a print load b print load c print load d print load a load b xor 127 and halt";

int prog_main(void) {
  static const char *const programs[] = {collatz, sieve, fact, mixed};
  static struct vm vm;
  static uint8_t code[1024];
  int status = 0;
  for (int i = 0; i < 4; i++) {
    if (assemble(programs[i], code) == 0) return 97;
    vm = (struct vm){0};
    int r = run(&vm, code);
    put_dec(r);
    put_str(" after ");
    put_dec(vm.steps);
    put_str("\n");
    status = status * 3 + r;
  }
  return status & 127;
}
