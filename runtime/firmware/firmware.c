/* Which ISAs this binary can start a machine of. */
#include "devices/board.h"

extern const struct boot_ops arm64_boot, riscv64_boot;

const struct boot_ops *const boot_list[] = {&arm64_boot, &riscv64_boot, NULL};
