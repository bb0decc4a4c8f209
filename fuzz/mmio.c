/* Random accesses to every device of every embedded board, in their windows and around them, with interrupt wires and
 * timers connected as in a machine that runs, and with memory that the input fills (the devices' DMA goes there).
 *
 * Input: board (byte), then steps: device (byte), what (byte: size 2 bits, write 1, aligned 1, kind 2), offset (16 or
 * 32 bits), value (as many bytes as accessed); kind 3 puts bytes into memory instead. */
#include "core/isa.h"
#include "devices/board.h"
#include "devices/board_int.h"
#include "fuzz/fuzz.h"

enum { MAX_BOARDS = 8, MAX_STEPS = 500, RAM_SIZE = 1 << 20 };
static struct machine *machines[MAX_BOARDS];
static unsigned nmachines;

static void create(void) {
  for (unsigned i = 0; isa_list[i] && nmachines < MAX_BOARDS; i++) {
    if (!board_exists(isa_list[i])) continue;
    struct machine *m = machine_new(isa_list[i]);
    const struct board_config c = {.ram_bytes = RAM_SIZE, .serial = "null", .console = "null"};
    MUST(m && !board_create(m, &c));
    machines[nmachines++] = m;
  }
  MUST(nmachines);
}

/* As after board_boot, and memory empty. */
static void restore(struct machine *m) {
  struct board_state *b = m->board;
  MUST(!phys_discard(m->phys, b->ram_base, b->ram_size));
  for (unsigned i = 0; i < b->ndevices; i++) device_reset(b->devices[i]);
  for (unsigned i = 0; i < m->nvcpus; i++) m->isa->arch->reset(m->vcpu[i]);
  m->end = END_NONE;
  m->end_code = 0;
  m->counter_delta = 0;
}

static void step(struct machine *m, struct input *in) {
  struct board_state *b = m->board;
  const struct device *d = b->devices[take(in, 1) % b->ndevices];
  unsigned what = (unsigned)take(in, 1), size = 1u << (what & 3);
  uint64_t off = what & 64 ? take(in, 4) : take(in, 2), value;
  if ((what >> 4 & 3) == 3) {
    size_t got;
    const uint8_t *bytes = take_bytes(in, what >> 6 ? 64 : 16, &got);
    phys_write(m->phys, b->ram_base + off % (RAM_SIZE - 64), bytes, got);
    return;
  }
  if (what & 8) off &= ~(uint64_t)(size - 1);
  if (!(what & 128) && d->size) off %= d->size; /* else also past the end */
  if (what & 4) phys_mmio_write(m->phys, d->base + off, size, take(in, size));
  else phys_mmio_read(m->phys, d->base + off, size, &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct input in = {data, n};
  char text[1];
  fuzz_quiet();
  if (!nmachines) create();
  struct machine *m = machines[take(&in, 1) % nmachines];
  struct board_state *b = m->board;
  restore(m);
  for (unsigned i = 0; in.left && i < MAX_STEPS; i++) step(m, &in);
  for (unsigned i = 0; i < b->ndevices; i++) device_print(b->devices[i], text, sizeof text);
  for (unsigned i = 0; i < m->nvcpus; i++) {
    if (m->isa->arch->deadline) m->isa->arch->deadline(m->vcpu[i]);
    if (m->isa->arch->wake) m->isa->arch->wake(m->vcpu[i]);
    m->isa->arch->interrupt(m->vcpu[i]);
  }
  return 0;
}
