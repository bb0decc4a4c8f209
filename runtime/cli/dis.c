/* `isomer dis`: bytes to text. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"
#include "loader/load.h"

struct dis {
  const char *isa, *hex;
  uint64_t offset, length, pc;
  bool canonical, plain, all;
};

/* One instruction at the start of `bytes`; writes its text and returns its length (>= 1). */
static unsigned one(const struct isa *isa, const struct dis *o, const uint8_t *bytes, size_t n, uint64_t pc,
                    char *text, size_t size) {
  uint64_t buf[64] = {0};
  struct insn *d = (struct insn *)buf;
  uint64_t features = o->all ? ~0ull >> (64 - isa->nfeatures) : isa->default_features;
  if (isa->insn_size > sizeof buf) log_bug("%s: decoded instruction of %u bytes", isa->name, isa->insn_size);
  int len = isa->decode(features, bytes, n, d);
  if (len > 0) {
    isa->disasm(d, pc, o->canonical ? 0 : DISASM_ALIASES, text, size);
    return (unsigned)len;
  }
  unsigned claim = len == 0 && d->len && d->len <= n ? d->len
                   : isa->insn_unit <= n             ? isa->insn_unit
                                                     : (unsigned)n;
  size_t at = (size_t)snprintf(text, size, len < 0 ? "<truncated>" : "<illegal>");
  for (unsigned i = 0; i < claim && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, " %02x", bytes[i]);
  return claim;
}

static void list(const struct isa *isa, const struct dis *o, const uint8_t *bytes, size_t n, uint64_t pc) {
  char text[256];
  for (size_t at = 0; at < n;) {
    unsigned len = one(isa, o, bytes + at, n - at, pc + at, text, sizeof text);
    if (!o->plain) {
      printf("%16" PRIx64 ":  ", pc + at);
      for (unsigned i = 0; i < len; i++) printf("%02x", bytes[at + i]);
      printf("%*s", (int)(2 * ((isa->insn_max < 10 ? isa->insn_max : 10u) - (len < 10 ? len : 10)) + 2), "");
    }
    puts(text);
    at += len;
  }
}

/* A line of hex from standard input is one instruction sequence. */
static int lines(const struct isa *isa, const struct dis *o) {
  char line[4096];
  uint8_t bytes[2048];
  for (unsigned long no = 1; fgets(line, sizeof line, stdin); no++) {
    int n = cli_hex(line, bytes, sizeof bytes);
    if (n < 0) {
      log_error("dis: standard input, line %lu: not pairs of hex digits", no);
      return EXIT_USAGE;
    }
    list(isa, o, bytes, (size_t)n, o->pc);
  }
  return 0;
}

static int dis_main(void *config, int argc, char **argv) {
  struct dis *o = config;
  const struct isa *isa = cli_isa(o->isa);
  uint8_t small[4096];
  struct load_file f;
  if (!isa) return EXIT_USAGE;
  if (!o->hex == !argc) {
    log_error("dis: give either --hex BYTES or one FILE");
    return EXIT_USAGE;
  }
  if (o->hex && !strcmp(o->hex, "-")) return lines(isa, o);
  if (o->hex) {
    int got = cli_hex(o->hex, small, sizeof small);
    if (got <= 0) {
      log_error("--hex: '%s' is not 1 to %zu pairs of hex digits", o->hex, sizeof small);
      return EXIT_USAGE;
    }
    list(isa, o, small, (size_t)got, o->pc);
    return 0;
  }
  char why[300];
  int r = load_file(argv[0], &f, why, sizeof why);
  if (r) {
    log_error("%s", why);
    return r == -ENOMEM ? EXIT_HOST : EXIT_USAGE;
  }
  if (o->offset > f.size || (o->length && o->length > f.size - o->offset)) {
    log_error("%s: has %zu bytes; --offset and --length go past its end", argv[0], f.size);
    r = EXIT_USAGE;
  } else {
    list(isa, o, f.bytes + o->offset, o->length ? (size_t)o->length : f.size - o->offset, o->pc);
  }
  load_file_free(&f);
  return r;
}

static const struct option options[] = {
    {"isa", "ISA", OPT_STR, offsetof(struct dis, isa), "whose instructions (isomer isa list)"},
    {"hex", "BYTES", OPT_STR, offsetof(struct dis, hex),
     "bytes in memory order, as hex; - reads lines from standard input"},
    {"offset", "N", OPT_U64, offsetof(struct dis, offset), "first byte of FILE (0)"},
    {"length", "N", OPT_U64, offsetof(struct dis, length), "how many bytes of FILE (to its end)"},
    {"pc", "ADDRESS", OPT_U64, offsetof(struct dis, pc), "address of the first instruction (0)"},
    {"no-aliases", NULL, OPT_FLAG, offsetof(struct dis, canonical), "canonical text only"},
    {"plain", NULL, OPT_FLAG, offsetof(struct dis, plain), "text only, without address and bytes"},
    {"all-features", NULL, OPT_FLAG, offsetof(struct dis, all),
     "also instructions of extensions that are off by default"},
    {0},
};

const struct command cmd_dis = {
    .name = "dis",
    .usage = "--isa ISA (--hex BYTES | FILE [--offset N] [--length N])",
    .summary = "disassembles bytes",
    .options = options,
    .config_size = sizeof(struct dis),
    .max_args = 1,
    .main = dis_main,
};
