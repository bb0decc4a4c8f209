/* All state of a machine: snapshots in memory, and its hash. Every part shows its pieces in a fixed order; saving copies
 * them, restoring overwrites them, hashing reads them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/loop.h"
#include "core/virtual.h"
#include "devices/board_int.h"
#include "mem/tlb.h"

struct board_snap {
  struct phys_snap *ram;
  uint8_t *bytes;
  size_t n, cap;
  bool full; /* memory was short */
};

static void visit_vcpu(struct vcpu *v, state_fn *fn, void *arg) {
  struct vcpu_common *c = v->c;
  uint64_t retired = vcpu_retired(v), was = retired;
  fn(arg, &retired, sizeof retired);
  c->retire_base += retired - was;
  fn(arg, &v->pc, sizeof v->pc);
  fn(arg, v + 1, c->isa->vcpu_size - sizeof *v);
  fn(arg, &c->irq_lines, sizeof c->irq_lines);
  fn(arg, &c->excl_addr, sizeof c->excl_addr);
  fn(arg, &c->excl_value, sizeof c->excl_value);
  fn(arg, &c->excl_size, sizeof c->excl_size);
}

static void visit_chardev(struct chardev *c, state_fn *fn, void *arg) {
  struct chardev_script *s = chardev_script(c);
  if (s) fn(arg, &s->nout, sizeof s->nout);
}

/* Everything but RAM and input that the guest has not taken. */
static void visit(struct machine *m, state_fn *fn, void *arg) {
  struct board_state *b = m->board;
  const struct boot_ops *boot = board_boot_ops(m->isa);
  struct virtual_time *t = m->virt;
  fn(arg, &t->skip_ns, sizeof t->skip_ns);
  fn(arg, t->rng, sizeof t->rng);
  fn(arg, &t->drought, sizeof t->drought);
  fn(arg, &t->waiting, sizeof t->waiting);
  fn(arg, &m->counter_delta, sizeof m->counter_delta);
  fn(arg, &m->end, sizeof m->end);
  fn(arg, &m->end_code, sizeof m->end_code);
  for (unsigned i = 0; i < m->nvcpus; i++) visit_vcpu(m->vcpu[i], fn, arg);
  for (unsigned i = 0; i < b->ndevices; i++) device_visit(b->devices[i], fn, arg);
  if (b->htif) htif_visit(b->htif, fn, arg);
  if (b->firmware && boot->visit) boot->visit(b->firmware, fn, arg);
  loop_visit(m, fn, arg);
  visit_chardev(b->serial, fn, arg);
  visit_chardev(b->console, fn, arg);
}

static void forget_translations(struct machine *m) {
  for (unsigned i = 0; i < m->nvcpus; i++) {
    tlb_reset(m->vcpu[i]);
    if (m->isa->arch->context) m->isa->arch->context(m->vcpu[i]);
  }
}

static void save(void *arg, void *at, size_t n) {
  struct board_snap *s = arg;
  if (s->n + n > s->cap) {
    size_t cap = 2 * (s->n + n) + 4096;
    uint8_t *grown = realloc(s->bytes, cap);
    if (!grown) s->full = true;
    if (s->full) return;
    s->bytes = grown;
    s->cap = cap;
  }
  memcpy(s->bytes + s->n, at, n);
  s->n += n;
}

/* A console's text and the input on its way: of varying length, so they come last. */
static void save_console(struct board_snap *s, struct chardev *c) {
  struct chardev_script *k = chardev_script(c);
  size_t n = k ? k->nin : 0;
  save(s, &n, sizeof n);
  if (n) save(s, k->in, n);
  if (k && k->nout) save(s, k->out, k->nout);
}

struct board_snap *board_snapshot(struct machine *m) {
  struct board_state *b = m->board;
  struct board_snap *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  visit(m, save, s);
  save_console(s, b->serial);
  save_console(s, b->console);
  s->ram = s->full ? NULL : phys_snap_take(m->phys);
  if (!s->ram) {
    board_snap_free(m, s);
    return NULL;
  }
  forget_translations(m); /* both of us go on from the same caches */
  return s;
}

struct reader {
  const uint8_t *at;
};

static void load(void *arg, void *at, size_t n) {
  struct reader *r = arg;
  memcpy(at, r->at, n);
  r->at += n;
}

static void load_console(struct reader *r, struct chardev *c) {
  struct chardev_script *k = chardev_script(c);
  size_t n;
  load(r, &n, sizeof n);
  if (n) load(r, k->in, n); /* what once fitted fits: the buffer never shrinks */
  if (k) k->nin = n;
  if (k && k->nout) load(r, k->out, k->nout);
}

int board_restore(struct machine *m, struct board_snap *s) {
  struct board_state *b = m->board;
  struct reader r = {s->bytes};
  int rc = phys_snap_restore(m->phys, s->ram);
  if (rc) return rc;
  visit(m, load, &r);
  load_console(&r, b->serial);
  load_console(&r, b->console);
  m->virt->stop = false;
  forget_translations(m);
  return 0;
}

void board_snap_free(struct machine *m, struct board_snap *s) {
  if (!s) return;
  if (s->ram) phys_snap_free(m->phys, s->ram);
  free(s->bytes);
  free(s);
}

static void hash(void *arg, void *at, size_t n) {
  uint64_t *h = arg;
  const uint8_t *p = at;
  for (size_t i = 0; i < n; i++) *h = (*h ^ p[i]) * 0x100000001b3u;
}

uint64_t board_hash(struct machine *m) {
  uint64_t h = phys_hash(m->phys) ^ 0xcbf29ce484222325u;
  visit(m, hash, &h);
  for (int i = 0; i < 2; i++) {
    struct chardev_script *k = chardev_script(board_chardev(m, i));
    if (k) hash(&h, k->out, k->nout);
    if (k) hash(&h, k->in, k->nin);
  }
  return h ^ h >> 29;
}
