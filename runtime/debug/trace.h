/* --trace: what it selects, and lines on stderr. One line per event, all writers share one format:
 *   insn  0:0000000080000000  00000297  auipc t0, 0x0
 *   exc   0:0000000080000004  illegal(0x0) -> 0x80001000          mmio/sbi: as their owners word it
 *   block 0:0000000000010504  12 instructions, 340 bytes, 52100 ns  main+0x4
 *   exit  0:0000000000010610  jump   from 0x10504  loop       (where the guest goes on, why, the block that was left)
 * (vCPU number, PC of the instruction the event belongs to). Nothing here decides what is traced where. */
#ifndef ISOMER_DEBUG_TRACE_H
#define ISOMER_DEBUG_TRACE_H

#include "core/machine.h"
#include "core/trace.h"

/* Parses `insn|exc|mmio|sbi|blocks|exits{,...}[=LO-HI]` (addresses as strtoull reads them, HI exclusive) into m->trace, adding to what
 * is there. 0, or -EINVAL with the fault in why. */
int trace_parse(struct machine *m, const char *text, char *why, size_t n);

/* Gives v->c->trace what m->trace asks of engines. Call after the options are parsed and before the vCPU runs. */
void trace_attach(struct vcpu *v, const struct machine *m);

/* True when an event of an enabled kind at `pc` passes the range. */
static inline bool trace_covers(const struct machine *m, gva_t pc) {
  return !m->trace.hi || (pc >= m->trace.lo && pc < m->trace.hi);
}

/* Write one line of kind `kind` (insn, exc, mmio, sbi) when that is enabled; trace_at names the vCPU and v->pc, and only
 * when that is in the range. */
void trace_line(const struct machine *m, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void trace_at(const struct vcpu *v, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a trap kind of `isa`, or "trap N" in a static-duration per-thread buffer. */
const char *trace_trap_name(const struct isa *isa, uint32_t kind);

#endif
