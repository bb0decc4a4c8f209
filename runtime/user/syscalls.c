/* System calls of user mode: ABIs and dispatch. The calls are in calls_*.c. */
#include <errno.h>

#include "user/calls.h"

typedef int64_t call_fn(struct user_thread *t, const uint64_t arg[6]);

static const struct {
  call_fn *fn;
  uint16_t number[2]; /* generic, x86_64 */
} calls[CALLS] = {
#define X(name, generic, x86) [CALL_##name] = {call_##name, {generic, x86}},
    USER_CALLS(X)
#undef X
};

/* include/uapi/asm-generic/stat.h and arch/x86/include/uapi/asm/stat.h. */
#define GENERIC_STAT                                                                                       \
  {                                                                                                        \
    .size = 128, .dev = {0, 8}, .ino = {8, 8}, .mode = {16, 4}, .nlink = {20, 4}, .uid = {24, 4},          \
    .gid = {28, 4}, .rdev = {32, 8}, .bytes = {48, 8}, .blksize = {56, 4}, .blocks = {64, 8}, .atime = 72, \
    .mtime = 88, .ctime = 104                                                                              \
  }
#define X86_64_STAT                                                                                        \
  {                                                                                                        \
    .size = 144, .dev = {0, 8}, .ino = {8, 8}, .nlink = {16, 8}, .mode = {24, 4}, .uid = {28, 4},          \
    .gid = {32, 4}, .rdev = {40, 8}, .bytes = {48, 8}, .blksize = {56, 8}, .blocks = {64, 8}, .atime = 72, \
    .mtime = 88, .ctime = 104                                                                              \
  }

static const struct user_abi abis[] = {
    {243, "riscv64", 0, GENERIC_STAT},
    {183, "aarch64", 0, GENERIC_STAT},
    {62, "x86_64", 1, X86_64_STAT},
};

const struct user_abi *user_abi_find(uint16_t machine) {
  for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
    if (abis[i].machine == machine) return &abis[i];
  return NULL;
}

static int64_t unknown(struct user_thread *t, uint64_t nr) {
  for (unsigned i = 0; i < USER_UNKNOWN_CALLS; i++) {
    if (t->process->unknown[i].count && t->process->unknown[i].nr != nr) continue;
    t->process->unknown[i].nr = nr;
    t->process->unknown[i].count++;
    break;
  }
  return -ENOSYS;
}

int64_t user_call(struct user_thread *t, uint64_t nr, const uint64_t arg[6]) {
  for (unsigned i = 0; i < CALLS; i++)
    if (calls[i].number[t->process->abi->column] == nr) return calls[i].fn(t, arg);
  return unknown(t, nr);
}
