/* The mix Dhrystone is known for: records passed by pointer, string copies and comparisons, small calls, branches. */
#include "bench.h"

enum ident { ONE, TWO, THREE, FOUR, FIVE };
struct record {
  struct record *next;
  int kind;
  enum ident id;
  int value;
  char text[31];
};
static struct record first, second;
static int global_int, table1[50], table2[50][50];
static char global_char;
static int global_bool;

BENCH_NOINLINE static int sum2(int a, int b) { return a + 2 + b; }
BENCH_NOINLINE static enum ident same(char a, char b) {
  if (a != b) return ONE;
  global_char = a;
  return TWO;
}
BENCH_NOINLINE static enum ident choose(enum ident e) {
  switch (e) {
  case ONE: return ONE;
  case TWO: return global_int > 100 ? ONE : FOUR;
  case THREE: return TWO;
  case FOUR: return FOUR;
  default: return THREE;
  }
}
BENCH_NOINLINE static void inner(struct record *r) {
  if (r->next) r->value = sum2(10, r->value);
  else global_int = sum2(r->value, global_int);
}
BENCH_NOINLINE static void records(struct record *r) {
  struct record *n = r->next;
  *n = *r;
  r->value = 5;
  n->value = r->value;
  n->next = r->next;
  inner(n);
  if (n->kind == 0) {
    n->value = 6;
    n->id = choose(r->id);
    n->next = first.next;
    n->value = sum2(n->value, 10);
  } else *r = *n;
}
BENCH_NOINLINE static void arrays(int *a, int (*b)[50], int x, int y) {
  int at = x + 5;
  a[at] = y;
  a[at + 1] = a[at];
  a[at + 30] = at;
  for (int i = at; i <= at + 1; i++) b[at][i] = at;
  b[at][at - 1]++;
  b[at + 20][at] = a[at];
  global_int = 5;
}
BENCH_NOINLINE static int strings(const char *a, const char *b) {
  int i = 2;
  char c = 'A';
  while (i <= 2)
    if (same(a[i], b[i + 1]) == ONE) c = 'A', i++;
  if (c >= 'W' && c < 'Z') i = 7;
  if (c == 'R') return 1;
  if (strcmp(a, b) > 0) {
    global_int = i + 7;
    return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  char one[31], two[31];
  long n = bench_rounds(argc, argv, 2000000);
  uint32_t check = 0;
  first = (struct record){&second, 0, THREE, 40, "DHRYSTONE PROGRAM, SOME STRING"};
  strcpy(one, "DHRYSTONE PROGRAM, 1'ST STRING");
  for (long i = 1; i <= n; i++) {
    int a = 2, b = 3, c = 0;
    global_bool = global_char == 'A';
    global_char = 'B';
    strcpy(two, "DHRYSTONE PROGRAM, 2'ND STRING");
    two[19] = (char)('0' + i % 10);
    __asm__ volatile("" ::: "memory");
    enum ident e = TWO;
    global_bool = !strings(one, two);
    while (a < b) {
      c = 5 * a - b;
      c = sum2(a, c);
      a++;
    }
    arrays(table1, table2, a, c);
    records(&first);
    for (char ch = 'A'; ch <= global_char; ch++)
      if (e == same(ch, 'C')) e = choose(e), b = (int)i;
    b *= a;
    a = b / (c ? c : 1);
    b = 7 * (b - c) - a;
    check = check * 31 + (uint32_t)b + (uint32_t)second.value + (uint32_t)table1[8] + (uint32_t)global_bool;
  }
  printf("dhry %08x\n", check);
}
