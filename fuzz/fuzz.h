/* What fuzz targets share: the entry point that libFuzzer, AFL++ and replay.c call, a reader of their input, quiet logs,
 * and how a finding is reported. Knows no target. */
#ifndef ISOMER_FUZZ_H
#define ISOMER_FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

/* Runs one input; findings abort. The same input does the same whatever came before. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Input that is consumed as little-endian numbers; zeros behind its end. */
struct input {
  const uint8_t *at;
  size_t left;
};

static inline uint64_t take(struct input *in, unsigned bytes) {
  uint64_t v = 0;
  for (unsigned i = 0; i < bytes && in->left; i++, in->left--) v |= (uint64_t)*in->at++ << 8 * i;
  return v;
}

/* At most `want` bytes where they lie; *got says how many. */
static inline const uint8_t *take_bytes(struct input *in, size_t want, size_t *got) {
  const uint8_t *p = in->at;
  *got = want < in->left ? want : in->left;
  in->at += *got;
  in->left -= *got;
  return p;
}

static inline void fuzz_no_log(void *opaque, enum log_level level, const char *text) {
  (void)opaque;
  (void)level;
  (void)text;
}

/* Messages about hostile input are expected; what is shown is a finding. */
static inline void fuzz_quiet(void) { log_set_sink(fuzz_no_log, NULL); }

__attribute__((noreturn, format(printf, 1, 2))) static inline void finding(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("finding: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  abort();
}

/* Holds in every run, whatever the input is. */
#define MUST(x)                                                           \
  do {                                                                    \
    if (!(x)) finding("%s:%d: %s does not hold", __FILE__, __LINE__, #x); \
  } while (0)

#endif
