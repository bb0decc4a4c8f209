/* The SiFive test finisher: one word that ends the machine with a verdict, a power-off or a reset. */
#include "devices/device.h"

enum { FINISH_FAIL = 0x3333, FINISH_PASS = 0x5555, FINISH_RESET = 0x7777 };

static int finisher_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  (void)d, (void)off, (void)size;
  *value = 0;
  return 0;
}

static int finisher_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  (void)size;
  if (off) return 0;
  uint64_t code = value >> 16 & 0xffff;
  switch (value & 0xffff) {
  case FINISH_PASS: machine_end(d->machine, END_POWEROFF, 0); break;
  case FINISH_RESET: machine_end(d->machine, END_RESET, 0); break;
  case FINISH_FAIL:
    machine_end(d->machine, code ? END_CODE : END_FAILURE, code);
    break; /* code 0 is still no success */
  default: break;
  }
  return 0;
}

const struct device_ops finisher_ops = {
    .name = "finisher",
    .title = "SiFive test finisher",
    .size = sizeof(struct device),
    .sizes = 2 | 4,
    .read = finisher_read,
    .write = finisher_write,
};
