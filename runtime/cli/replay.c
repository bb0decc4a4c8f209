/* `isomer replay`: runs the block of a reproducer (jit/reproducer.c) again, translated and interpreted, without the program or
 * machine that it comes from. The file may come from anybody: every line is checked. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/cli.h"
#include "core/engine.h"
#include "core/log.h"
#include "mem/phys.h"
#include "mem/space.h"
#include "os/fault.h"
#include "user/process.h"

enum { PAGES = 1024, LINE = 2048 };

struct config {
  const char *dump;
  bool no_plant;
};

/* The file as far as it was read. */
struct replay {
  const char *path;
  unsigned line;
  const struct isa *isa;
  bool identity, placed;
  uint64_t features, insns, plant;
  gva_t pc;
  char *state; /* of the registers that were given */
  gva_t excl_addr;
  u128 excl_value;
  uint8_t excl_size;
  unsigned npages;
  gva_t page[PAGES];
  uint8_t *bytes; /* of all pages */
};

static struct replay *current; /* for the page walk, which has no other way to it */

static int wrong(const struct replay *r, const char *what) {
  log_error("%s:%u: %s", r->path, r->line, what);
  return EXIT_USAGE;
}

/* ---- reading ---- */

static const struct reg_info *find_register(const struct isa *isa, const char *name) {
  for (unsigned i = 0; i < isa->nregs; i++)
    if (!strcmp(isa->regs[i].name, name)) return &isa->regs[i];
  return NULL;
}

/* Digits of a number of any size, to `n` bytes, lowest first; false when it has more or is none. */
static bool digits(const char *text, uint8_t *out, unsigned n) {
  if (strncmp(text, "0x", 2) || !text[2]) return false;
  const size_t len = strlen(text + 2);
  memset(out, 0, n);
  for (size_t i = 0; i < len; i++) {
    const char c = text[2 + len - 1 - i];
    const char *all = "0123456789abcdef", *at = strchr(all, c);
    if (!at) return false;
    if (i / 2 >= n) {
      if (c != '0') return false;
      continue;
    }
    out[i / 2] |= (uint8_t)((at - all) << (i & 1 ? 4 : 0));
  }
  return true;
}

static uint8_t *place(struct replay *r, gva_t at) {
  const gva_t page = at & GUEST_PAGE_MASK;
  unsigned i = 0;
  while (i < r->npages && r->page[i] != page) i++;
  if (i == PAGES) return NULL;
  if (i == r->npages) r->page[r->npages++] = page;
  return r->bytes + (size_t)i * GUEST_PAGE_SIZE + (at & ~GUEST_PAGE_MASK);
}

static int memory(struct replay *r, const char *where, const char *hex) {
  uint64_t at;
  uint8_t bytes[64];
  int n = hex ? cli_hex(hex, bytes, sizeof bytes) : -1;
  if (n < 1 || parse_u64(where, &at)) return wrong(r, "memory takes an address and up to 64 bytes");
  for (int i = 0; i < n; i++) {
    uint8_t *to = place(r, at + (gva_t)i);
    if (!to) return wrong(r, "too many pages");
    *to = bytes[i];
  }
  return 0;
}

static int one_line(struct replay *r, char *text) {
  char *word[6] = {0}, *save = NULL;
  unsigned n = 0;
  for (char *w = strtok_r(text, " \n", &save); w && n < 6; w = strtok_r(NULL, " \n", &save)) word[n++] = w;
  if (!n || word[0][0] == '#') return 0;
  if (n < 2) return wrong(r, "a line has a word and what belongs to it");
  if (!strcmp(word[0], "isa")) {
    if (r->isa || !(r->isa = isa_find(word[1]))) return wrong(r, "unknown ISA, or a second one");
    if (!(r->state = calloc(1, r->isa->vcpu_size))) return wrong(r, "out of memory");
    return 0;
  }
  if (!r->isa) return wrong(r, "the ISA comes first");
  if (!strcmp(word[0], "memory-is")) {
    r->identity = !strcmp(word[1], "identity");
    return r->identity || !strcmp(word[1], "tlb") ? 0 : wrong(r, "memory is identity or tlb");
  }
  if (!strcmp(word[0], "memory")) return memory(r, word[1], word[2]);
  if (!strcmp(word[0], "register")) {
    const struct reg_info *reg = find_register(r->isa, word[1]);
    if (!reg || !word[2] || !digits(word[2], (uint8_t *)r->state + reg->offset, (reg->bits + 7u) / 8))
      return wrong(r, "no such register, or no value of its size");
    return 0;
  }
  uint64_t value[4] = {0};
  for (unsigned i = 1; i < n && i < 5; i++)
    if (parse_u64(word[i], &value[i - 1])) return wrong(r, "not a number");
  if (!strcmp(word[0], "features")) r->features = value[0];
  else if (!strcmp(word[0], "insns")) r->insns = value[0];
  else if (!strcmp(word[0], "plant")) r->plant = value[0];
  else if (!strcmp(word[0], "pc")) r->pc = value[0], r->placed = true;
  else if (!strcmp(word[0], "monitor")) {
    r->excl_addr = value[0];
    r->excl_size = (uint8_t)value[1];
    r->excl_value = (u128)value[2] << 64 | value[3];
  } else return wrong(r, "unknown word");
  return 0;
}

static int read_file(struct replay *r) {
  char line[LINE];
  FILE *f = fopen(r->path, "r");
  if (!f) {
    log_error("%s: %s", r->path, strerror(errno));
    return EXIT_USAGE;
  }
  int rc = 0;
  while (!rc && fgets(line, sizeof line, f)) {
    r->line++;
    if (!strchr(line, '\n')) rc = wrong(r, "a line is too long, or has no end");
    else if (r->line > 1) rc = one_line(r, line);
    else if (strcmp(line, "isomer-reproducer 1\n")) rc = wrong(r, "this is no reproducer");
  }
  fclose(f);
  if (!rc && (!r->isa || !r->placed || !r->npages || r->insns < 1 || r->insns > 64))
    rc = wrong(r, "the file must say isa, pc, memory, and 1 to 64 insns");
  return rc;
}

/* ---- running ---- */

static int walk(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  const struct replay *r = current;
  for (unsigned i = 0; i < r->npages; i++) {
    if (r->page[i] != (va & GUEST_PAGE_MASK)) continue;
    *out = (struct translation){
        .pa = (gpa_t)i * GUEST_PAGE_SIZE + (va & ~GUEST_PAGE_MASK), .size = GUEST_PAGE_SIZE, .prot = 7};
    return 0;
  }
  return v->c->isa->arch->bus_fault(v, va, access);
}

static int fill(const struct replay *r, struct vcpu *v, struct space *s) {
  const int rights = PROT_READ | PROT_WRITE | PROT_EXEC, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (!s) {
    v->c->translate = walk;
    return phys_write(v->c->phys, 0, r->bytes, (uint64_t)r->npages * GUEST_PAGE_SIZE);
  }
  for (unsigned i = 0; i < r->npages; i++) {
    int64_t at = space_map(s, r->page[i], GUEST_PAGE_SIZE, rights, flags, -1, 0);
    if (at < 0) return (int)at;
    int rc = space_write(s, r->page[i], r->bytes + (size_t)i * GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
    if (rc) return rc;
  }
  return 0;
}

static int options_of(const struct replay *r, const struct config *o) {
  char text[64];
  int rc = engine_option("check");
  if (!rc) rc = engine_option("replaying");
  if (!rc) rc = engine_option("jit:threshold=1");
  snprintf(text, sizeof text, "jit:insns=%" PRIu64, r->insns);
  if (!rc) rc = engine_option(text);
  snprintf(text, sizeof text, "jit:plant=%" PRIu64, r->plant);
  if (!rc && r->plant && !o->no_plant) rc = engine_option(text);
  const struct engine_config dump = {.dump = o->dump};
  if (!rc) rc = cli_engine(&dump, NULL, NULL, NULL);
  return rc;
}

static int run(const struct replay *r, const struct config *o) {
  struct machine *m = r->identity ? machine_new_bare(r->isa) : machine_new(r->isa);
  struct space *s = NULL;
  int code = EXIT_HOST;
  if (!m || (!r->identity && phys_add_ram(m->phys, 0, (uint64_t)r->npages * GUEST_PAGE_SIZE, "ram")))
    goto out;
  struct vcpu *v = machine_add_vcpu(m, r->features);
  if (!v) goto out;
  v->c->trap_exits = true; /* nothing is delivered, nothing interrupts */
  if (r->identity && (!(s = space_new(USER_START, USER_END)) || space_attach(s, v) || os_fault_thread()))
    goto out;
  int rc = fill(r, v, s);
  if (rc) {
    log_error("%s: cannot have its memory: %s", r->path, strerror(-rc));
    goto out;
  }
  for (unsigned i = 0; i < r->isa->nregs; i++) {
    const struct reg_info *reg = &r->isa->regs[i];
    if (!vcpu_set_register(v, reg, (const uint8_t *)r->state + reg->offset)) continue;
    log_error("%s: no %s has such a value in %s", r->path, r->isa->name, reg->name);
    code = EXIT_USAGE;
    goto out;
  }
  v->pc = r->pc;
  v->c->excl_addr = r->excl_addr;
  v->c->excl_value = r->excl_value;
  v->c->excl_size = r->excl_size;
  r->isa->arch->context(v);
  if (options_of(r, o) || engine_select(v, "jit")) goto out;
  vcpu_set_budget(v, (int64_t)r->insns);
  enum vcpu_exit exit = v->c->engine_ops->run(v);
  if (exit != EXIT_ERROR && exit != EXIT_BUDGET)
    log_error("%s: its code ends otherwise than by its last instruction (exit %u, at %#" PRIx64 ")", r->path,
              exit, v->pc);
  code = exit == EXIT_ERROR;
  if (!code) printf("no difference: %s, now at %#" PRIx64 "\n", r->path, v->pc);
out:
  machine_free(m);
  space_free(s);
  return code;
}

static int replay_main(void *config, int argc, char **argv) {
  struct replay r = {.path = argv[0]};
  (void)argc;
  r.bytes = calloc(PAGES, GUEST_PAGE_SIZE);
  current = &r;
  int rc = r.bytes ? read_file(&r) : EXIT_HOST;
  if (!rc) rc = run(&r, config);
  current = NULL;
  free(r.state);
  free(r.bytes);
  return rc;
}

static const struct option options[] = {
    {"dump", "WHAT", OPT_STR, offsetof(struct config, dump), "ir, asm or ir,asm of the block, on stderr"},
    {"no-plant", NULL, OPT_FLAG, offsetof(struct config, no_plant),
     "without the deliberate mistake that the file may ask for"},
    {0},
};

const struct command cmd_replay = {
    .name = "replay",
    .usage = "FILE",
    .summary = "runs again what --check found",
    .about = "FILE is what --check or --reproducer wrote: one block of guest code with the registers and "
             "memory it starts from. It runs\n"
             "translated and interpreted; the differences go to stderr. Exit codes: 0 both do the same, 1 "
             "they differ.",
    .options = options,
    .config_size = sizeof(struct config),
    .min_args = 1,
    .max_args = 1,
    .main = replay_main,
};
