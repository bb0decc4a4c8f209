/* Recursive Fibonacci numbers: calls, returns, and little else. */
#include "bench.h"

BENCH_NOINLINE static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv) { printf("fib %ld\n", fib(bench_rounds(argc, argv, 36))); }
