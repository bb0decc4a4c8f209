/* What a freestanding test program may use: two system calls and a few
 * helpers to print. The calls come from start_<isa>.S, the helpers from lib.c.
 * There is no libc behind any of it. */
#ifndef PROG_H
#define PROG_H

#include <stddef.h>
#include <stdint.h>

long sys_write(int fd, const void *buf, size_t len); /* bytes, or -errno */
_Noreturn void sys_exit(int status);

/* The program: its result is the exit status (0..255). */
int prog_main(void);

/* Each writes to standard output with exactly one write call. */
void put_str(const char *s);
void put_dec(int64_t v);
void put_hex(uint64_t v, int digits);                  /* digits: 1..16 */
void put_kv(const char *key, uint64_t v);              /* "key=<16 hex>\n" */
void put_bytes(const char *key, const void *p, int n); /* "key=<hex>\n", n <= 64 */

/* A 64-bit xorshift generator: deterministic input data. */
uint64_t rng_next(uint64_t *state);

#endif
