/* What the signal frames of all ISAs are put together with. Layouts are in <isa>/signal.c. */
#ifndef ISOMER_ARCH_FRAME_H
#define ISOMER_ARCH_FRAME_H

#include <string.h>

#include "core/isa.h"

enum { SIGINFO_SIZE = 128 };

static inline void frame_put(struct user_frame *f, unsigned off, uint64_t value, unsigned bytes) {
  memcpy(f->bytes + off, &value, bytes); /* hosts and guests are little-endian */
}

static inline uint64_t frame_get(const struct user_frame *f, unsigned off, unsigned bytes) {
  uint64_t value = 0;
  memcpy(&value, f->bytes + off, bytes);
  return value;
}

/* struct ucontext begins alike everywhere: uc_flags, uc_link, uc_stack. */
enum { UC_STACK = 16, UC_STACK_END = 40 };

static inline void frame_put_stack(struct user_frame *f, unsigned uc) {
  memcpy(f->bytes + uc + UC_STACK, f->stack, sizeof f->stack);
}
static inline void frame_get_stack(struct user_frame *f, unsigned uc) {
  memcpy(f->stack, f->bytes + uc + UC_STACK, sizeof f->stack);
}

#endif
