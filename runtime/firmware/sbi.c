/* SBI calls: decoding, the table of extensions, and those without hart state: base, system reset, debug console. */
#include "firmware/sbi.h"

#include <inttypes.h>
#include <string.h>

#include "arch/riscv64/priv.h"
#include "debug/trace.h"
#include "devices/board.h"
#include "devices/chardev.h"
#include "mem/phys.h"

#define SPEC_VERSION 0x02000000 /* 2.0 */
#define IMPL_ID      0x49534f4d /* "ISOM": outside the range that the specification has assigned */
#define IMPL_VERSION 1

const struct sbi_ext sbi_exts[] = {
    {"base", 0x10, sbi_base},       {"time", 0x54494d45, sbi_time},
    {"ipi", 0x735049, sbi_ipi},     {"rfence", 0x52464e43, sbi_rfence},
    {"hsm", 0x48534d, sbi_hsm},     {"srst", 0x53525354, sbi_srst},
    {"dbcn", 0x4442434e, sbi_dbcn}, {NULL, 0, NULL},
};

static const struct sbi_ext *find(uint64_t eid) {
  for (const struct sbi_ext *e = sbi_exts; e->name; e++)
    if (e->eid == eid) return e;
  return NULL;
}

bool sbi_call(struct vcpu *v) {
  struct riscv64_vcpu *s = rv(v);
  struct sbi_hart *h = v->c->firmware;
  struct sbi_args args = {.eid = s->x[17], .fid = s->x[16]};
  memcpy(args.a, &s->x[10], sizeof args.a);
  const struct sbi_ext *e = find(args.eid & 0xffffffff); /* EIDs and FIDs are 32 bits, section 3 */
  args.fid &= 0xffffffff;
  gva_t pc = v->pc;
  struct sbi_ret r = e ? e->call(h, &args) : (struct sbi_ret){SBI_NOT_SUPPORTED, 0};
  if (v->c->machine->trace.sbi && trace_covers(v->c->machine, pc))
    trace_line(v->c->machine, "sbi",
               "%u:%016" PRIx64 "  %s.%" PRIu64 "(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ") of 0x%" PRIx64
               " = %" PRId64 ", 0x%" PRIx64,
               v->c->index, pc, e ? e->name : "unknown", args.fid, args.a[0], args.a[1], args.a[2], args.eid,
               r.error, r.value);
  if (v->pc != pc) return true; /* the hart went somewhere else */
  s->x[10] = (uint64_t)r.error;
  s->x[11] = r.value;
  return true;
}

/* Section 4. */
struct sbi_ret sbi_base(struct sbi_hart *h, const struct sbi_args *args) {
  (void)h;
  switch (args->fid) {
  case 0: return (struct sbi_ret){SBI_SUCCESS, SPEC_VERSION};
  case 1: return (struct sbi_ret){SBI_SUCCESS, IMPL_ID};
  case 2: return (struct sbi_ret){SBI_SUCCESS, IMPL_VERSION};
  case 3: return (struct sbi_ret){SBI_SUCCESS, find(args->a[0]) != NULL};
  case 4: /* mvendorid, marchid, mimpid: as those CSRs read */
  case 5:
  case 6: return (struct sbi_ret){SBI_SUCCESS, 0};
  default: return (struct sbi_ret){SBI_NOT_SUPPORTED, 0};
  }
}

/* Section 10. */
struct sbi_ret sbi_srst(struct sbi_hart *h, const struct sbi_args *args) {
  enum { SHUTDOWN, COLD_REBOOT, WARM_REBOOT };
  uint32_t type = (uint32_t)args->a[0], reason = (uint32_t)args->a[1];
  if (args->fid) return (struct sbi_ret){SBI_NOT_SUPPORTED, 0};
  if (reason > 1 && reason < 0xe0000000) return (struct sbi_ret){SBI_INVALID_PARAM, 0}; /* reserved */
  switch (type) {
  case SHUTDOWN: machine_end(h->sbi->machine, reason == 1 ? END_FAILURE : END_POWEROFF, 0); break;
  case COLD_REBOOT:
  case WARM_REBOOT: machine_end(h->sbi->machine, END_RESET, 0); break;
  default: return (struct sbi_ret){type < 0xf0000000 ? SBI_INVALID_PARAM : SBI_NOT_SUPPORTED, 0};
  }
  sbi_park(h); /* the call does not return */
  return (struct sbi_ret){SBI_SUCCESS, 0};
}

static int64_t console_write(struct machine *m, gpa_t at, uint64_t n) {
  uint8_t buf[256];
  for (uint64_t done = 0; done < n;) {
    size_t part = n - done < sizeof buf ? (size_t)(n - done) : sizeof buf;
    if (phys_read(m->phys, at + done, buf, part)) return done ? (int64_t)done : SBI_INVALID_PARAM;
    board_console_write(m, buf, part);
    done += part;
  }
  return (int64_t)n;
}

static int64_t console_read(struct machine *m, gpa_t at, uint64_t n) {
  uint64_t done = 0;
  uint8_t byte;
  for (; done < n; done++) {
    if (!phys_ptr(m->phys, at + done, 1, false)) return done ? (int64_t)done : SBI_INVALID_PARAM;
    if (!board_console_read(m, &byte)) break;
    phys_write(m->phys, at + done, &byte, 1);
  }
  return (int64_t)done;
}

/* Section 12. Strings are in physical memory; one call moves at most 64 KiB, so that it does not hold up the hart. */
struct sbi_ret sbi_dbcn(struct sbi_hart *h, const struct sbi_args *args) {
  uint64_t n = args->a[0] < 65536 ? args->a[0] : 65536;
  uint8_t byte = (uint8_t)args->a[0];
  int64_t done;
  switch (args->fid) {
  case 0:
  case 1:
    if (args->a[2]) return (struct sbi_ret){SBI_INVALID_PARAM, 0}; /* upper half of the address */
    done = args->fid ? console_read(h->sbi->machine, args->a[1], n)
                     : console_write(h->sbi->machine, args->a[1], n);
    return done < 0 ? (struct sbi_ret){done, 0} : (struct sbi_ret){SBI_SUCCESS, (uint64_t)done};
  case 2: board_console_write(h->sbi->machine, &byte, 1); return (struct sbi_ret){SBI_SUCCESS, 0};
  default: return (struct sbi_ret){SBI_NOT_SUPPORTED, 0};
  }
}
