/* Options: one table per subcommand drives parsing, help and the reference page. What they mean is the subcommands'. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"

int parse_u64(const char *text, uint64_t *out) {
  char *end;
  errno = 0;
  if (!isdigit((unsigned char)*text)) return -EINVAL;
  *out = strtoull(text, &end, 0);
  return *end || errno ? -EINVAL : 0;
}

int parse_size(const char *text, uint64_t *out) {
  static const char units[] = "KMGT";
  char *end;
  errno = 0;
  if (!isdigit((unsigned char)*text)) return -EINVAL;
  uint64_t v = strtoull(text, &end, 0);
  unsigned shift = 20;
  if (*end) {
    const char *u = strchr(units, toupper((unsigned char)*end));
    if (!u) return -EINVAL;
    shift = 10 * (unsigned)(u - units + 1);
    end++;
    if (toupper((unsigned char)*end) == 'B') end++;
  }
  if (*end || errno || v > UINT64_MAX >> shift) return -EINVAL;
  *out = v << shift;
  return 0;
}

static int parse_ns(const char *text, uint64_t *out) {
  char *end;
  if (!isdigit((unsigned char)*text) && *text != '.') return -EINVAL;
  double s = strtod(text, &end);
  if (*end || !isfinite(s) || s > 1e9) return -EINVAL;
  *out = (uint64_t)(s * 1e9);
  return 0;
}

static bool has_name(const struct option *o, const char *name, size_t len) {
  for (const char *p = o->names; *p;) {
    size_t n = strcspn(p, " ");
    if (n == len && !memcmp(p, name, n)) return true;
    p += n + (p[n] == ' ');
  }
  return false;
}

static const struct option *find(const struct command *c, const char *name, size_t len) {
  for (const struct option *o = c->options; o->names; o++)
    if (has_name(o, name, len)) return o;
  return NULL;
}

static int set(const struct option *o, void *config, const char *shown, const char *value) {
  char *at = (char *)config + o->offset;
  uint64_t u;
  switch (o->type) {
  case OPT_FLAG: *(bool *)at = true; return -1;
  case OPT_STR: *(const char **)at = value; return -1;
  case OPT_UINT:
    if (parse_u64(value, &u) || u > UINT32_MAX) break;
    *(unsigned *)at = (unsigned)u;
    return -1;
  case OPT_U64:
    if (parse_u64(value, (uint64_t *)at)) break;
    return -1;
  case OPT_SIZE:
    if (parse_size(value, (uint64_t *)at)) break;
    return -1;
  case OPT_NS:
    if (parse_ns(value, (uint64_t *)at)) break;
    return -1;
  case OPT_LIST: {
    struct strings *s = (struct strings *)at;
    if (s->n == ARRAY_SIZE(s->at)) {
      log_error("%s: given more than %zu times", shown, ARRAY_SIZE(s->at));
      return EXIT_USAGE;
    }
    s->at[s->n++] = value;
    return -1;
  }
  case OPT_LATER: log_error("%s: not available in this version (%s)", shown, o->help); return EXIT_USAGE;
  }
  log_error("%s: '%s' is no %s", shown, value, o->arg);
  return EXIT_USAGE;
}

int options_parse(const struct command *c, void *config, int argc, char **argv, int *npos) {
  int n = 0;
  for (int i = 0; i < argc; i++) {
    char *a = argv[i];
    if (!strcmp(a, "--")) {
      while (++i < argc) argv[n++] = argv[i];
      break;
    }
    if (a[0] != '-' || !a[1]) {
      argv[n++] = a;
      if (!c->stop_at_first) continue;
      while (++i < argc) argv[n++] = argv[i];
      break;
    }
    const char *name = a + 1 + (a[1] == '-');
    size_t len = strcspn(name, "=");
    if ((len == 4 && !memcmp(name, "help", 4)) || (len == 1 && *name == 'h')) {
      help_print(c);
      return 0;
    }
    const struct option *o = find(c, name, len);
    if (!o) {
      log_error("%s: unknown option '%s' (isomer %s --help lists them)", c->name, a, c->name);
      return EXIT_USAGE;
    }
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", (int)(name - a + (ptrdiff_t)len), a);
    const char *value = name[len] ? name + len + 1 : NULL;
    if (!o->arg && value) {
      log_error("%s: takes no value", shown);
      return EXIT_USAGE;
    }
    if (o->arg && !value && o->type != OPT_LATER) {
      if (++i == argc) {
        log_error("%s: needs %s", shown, o->arg);
        return EXIT_USAGE;
      }
      value = argv[i];
    }
    int r = set(o, config, shown, value);
    if (r >= 0) return r;
  }
  *npos = n;
  if (n < (int)c->min_args || n > (int)c->max_args) {
    if (n > (int)c->max_args && c->max_args == 0) log_error("%s: unexpected argument '%s'", c->name, argv[0]);
    else log_error("usage: isomer %s %s", c->name, c->usage);
    return EXIT_USAGE;
  }
  return -1;
}

void options_again(const struct command *c, const void *config, const char **out, unsigned n) {
  static char names[64][32]; /* "--name" of each option that is used */
  unsigned at = 0, k = 0;
  for (const struct option *o = c->options; o->names && k < ARRAY_SIZE(names); o++) {
    const char *from = (const char *)config + o->offset;
    const char *const *text = NULL;
    unsigned times = 0;
    if (o->type == OPT_FLAG) {
      times = *(const bool *)from;
    } else if (o->type == OPT_STR) {
      text = (const char *const *)from;
      times = *text != NULL;
    } else if (o->type == OPT_LIST) {
      const struct strings *list = (const struct strings *)from;
      text = list->at;
      times = list->n;
    }
    if (!times) continue;
    snprintf(names[k], sizeof names[k], "--%.*s", (int)strcspn(o->names, " "), o->names);
    for (unsigned i = 0; i < times && at + 3 <= n; i++) {
      out[at++] = names[k];
      if (text) out[at++] = text[i];
    }
    k++;
  }
  out[at] = NULL;
}

/* "--memory, -m SIZE": words get two dashes, letters and QEMU's spellings one. */
static void spell(const struct option *o, char *buf, size_t size) {
  size_t at = 0;
  for (const char *p = o->names; *p && at < size;) {
    size_t n = strcspn(p, " ");
    at += (size_t)snprintf(buf + at, size - at, "%s%s%.*s", at ? ", " : "", n == 1 || at ? "-" : "--", (int)n,
                           p);
    p += n + (p[n] == ' ');
  }
  if (o->arg && at < size) snprintf(buf + at, size - at, " %s", o->arg);
}

void help_print(const struct command *c) {
  char buf[80];
  printf("usage: isomer %s %s\n%s\n", c->name, c->usage, c->summary);
  if (c->about) printf("\n%s", c->about);
  if (c->options->names) printf("\noptions:\n");
  for (const struct option *o = c->options; o->names; o++) {
    if (o->type == OPT_LATER) continue;
    spell(o, buf, sizeof buf);
    if (strlen(buf) > 28) printf("  %s\n  %28s  %s\n", buf, "", o->help);
    else printf("  %-28s  %s\n", buf, o->help);
  }
}

void help_markdown(void) {
  char buf[80];
  printf("# The command line\n\nWritten by `isomer help --markdown` from the tables that parse it.\n");
  for (const struct command *const *p = commands; *p; p++) {
    const struct command *c = *p;
    printf("\n## isomer %s\n\n`isomer %s %s`\n\n%s\n", c->name, c->name, c->usage, c->summary);
    if (c->about) printf("\n```\n%s```\n", c->about);
    if (!c->options->names) continue;
    printf("\n| option | |\n|---|---|\n");
    for (const struct option *o = c->options; o->names; o++) {
      spell(o, buf, sizeof buf);
      for (char *b = buf; *b; b++)
        if (*b == '|') *b = '/';
      printf("| `%s` | %s%s%s |\n", buf, o->type == OPT_LATER ? "not yet (" : "", o->help,
             o->type == OPT_LATER ? ")" : "");
    }
  }
  printf("\n## Exit codes of `run`\n\n| code | |\n|---|---|\n"
         "| 0 | clean power-off, reset under `--no-reboot`, or Ctrl-A x |\n"
         "| 1 to %d | reported by the guest; a larger code becomes %d and the real one is on stderr |\n"
         "| %d | usage or configuration |\n| %d | host resource |\n| %d | failure reported by the guest |\n"
         "| %d | a script failed (--script) |\n| %d | time-out |\n| %d | a bug of Isomer |\n",
         EXIT_GUEST_MAX, EXIT_GUEST_MAX, EXIT_USAGE, EXIT_HOST, EXIT_GUEST_FAILURE, EXIT_SCRIPT,
         EXIT_TIMED_OUT, EXIT_BUG);
}
