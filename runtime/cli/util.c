/* What several subcommands need: finding the ISA, hex. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "core/log.h"

const struct isa *cli_isa(const char *name) {
  char names[200] = "";
  size_t at = 0;
  const struct isa *isa = name ? isa_find(name) : NULL;
  if (isa) return isa;
  for (const struct isa *const *p = isa_list; *p && at < sizeof names; p++)
    at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", (*p)->name);
  if (name) log_error("--isa %s: no such ISA in this build; there is: %s", name, names);
  else log_error("--isa is needed: one of %s", names);
  return NULL;
}

int cli_hex(const char *text, uint8_t *out, size_t max) {
  size_t n = 0;
  for (const char *p = text; *p;) {
    if (isspace((unsigned char)*p) || *p == ',') {
      p++;
      continue;
    }
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
      p += 2;
      continue;
    }
    if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || n == max) return -EINVAL;
    const char pair[3] = {p[0], p[1], 0};
    out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    p += 2;
  }
  return (int)n;
}
