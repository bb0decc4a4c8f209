/* `isomer isa`: what the linked descriptions hold. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/log.h"
#include "devices/board.h"

struct isa_options {
  const char *isa;
};

static void feature_list(const struct isa *isa, uint64_t set, char *buf, size_t size) {
  size_t at = 0;
  buf[0] = 0;
  for (unsigned i = 0; i < isa->nfeatures && at < size; i++)
    if (set >> i & 1)
      at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? " " : "", isa->features[i].name);
}

static int list(void) {
  char names[400];
  for (const struct isa *const *p = isa_list; *p; p++) {
    const struct isa *isa = *p;
    feature_list(isa, isa->default_features, names, sizeof names);
    printf("%-8s  %s\n  %u instructions, %u system registers; machine: %s\n  on by default: %s\n", isa->name,
           isa->title, isa->nleaves - 1, isa->nsysregs,
           board_exists(isa) ? "yes" : "none yet (user mode only)", names);
  }
  return 0;
}

static const char *str(const struct isa *isa, uint32_t at) { return isa->strings + at; }

static void show_leaf(const struct isa *isa, const struct leaf_info *l) {
  char names[400];
  uint64_t by_default = l->requires_ & ~isa->default_features;
  feature_list(isa, l->requires_, names, sizeof names);
  printf("%s %s\n  family    %s\n  mnemonic  %s\n  described %s:%u\n  needs     %s%s\n  straight  %s%s\n",
         isa->name, str(isa, l->name), str(isa, l->family), str(isa, l->mnemonic), str(isa, l->file), l->line,
         names[0] ? names : "nothing", by_default ? " (off by default)" : "",
         l->flags & INSN_ENDS
             ? (l->flags & INSN_FALLS ? "may leave the straight line" : "leaves the straight line")
             : "yes",
         l->flags & INSN_EFFECT ? ", touches memory" : "");
}

/* LEAF may be a leaf, a family or a mnemonic. */
static int show(const char *name, const char *leaf) {
  bool found = false;
  const struct isa *only = name ? cli_isa(name) : NULL;
  if (name && !only) return EXIT_USAGE;
  for (const struct isa *const *p = isa_list; *p; p++) {
    if (only && *p != only) continue;
    for (unsigned i = 1; i < (*p)->nleaves; i++) {
      const struct leaf_info *l = &(*p)->leaves[i];
      if (strcmp(str(*p, l->name), leaf) && strcmp(str(*p, l->family), leaf) &&
          strcmp(str(*p, l->mnemonic), leaf))
        continue;
      show_leaf(*p, l);
      found = true;
    }
  }
  if (found) return 0;
  log_error("isa show: no instruction, family or mnemonic '%s'", leaf);
  return EXIT_USAGE;
}

/* The section of a family in the reference, up to the next heading; NULL when there is none. */
static const char *section(const struct isa *isa, const char *family, size_t *size) {
  char head[200];
  snprintf(head, sizeof head, "\n### %s\n", family);
  const char *from = strstr(isa->doc, head);
  if (!from) return NULL;
  const char *end = from + strlen(head);
  do end = strchr(end, '\n');
  while (end && strncmp(++end, "## ", 3) && strncmp(end, "### ", 4));
  *size = end ? (size_t)(end - from - 1) : strlen(from + 1);
  return from + 1;
}

/* The reference, or the sections of the families that `name` (leaf, family or mnemonic; NULL: all) belongs to. */
static int doc(const char *isa_name, const char *name) {
  bool found = false;
  const struct isa *only = isa_name ? cli_isa(isa_name) : NULL;
  if (isa_name && !only) return EXIT_USAGE;
  if (!name && only) {
    fputs(only->doc, stdout);
    return 0;
  }
  for (const struct isa *const *p = isa_list; name && *p; p++) {
    uint32_t last = 0;
    if (only && *p != only) continue;
    for (unsigned i = 1; i < (*p)->nleaves; i++) {
      const struct leaf_info *l = &(*p)->leaves[i];
      if (l->family == last || (strcmp(str(*p, l->name), name) && strcmp(str(*p, l->family), name) &&
                                strcmp(str(*p, l->mnemonic), name)))
        continue;
      size_t size;
      const char *text = section(*p, str(*p, l->family), &size);
      if (!text) log_bug("isa doc: %s: no section '%s'", (*p)->name, str(*p, l->family));
      fwrite(text, 1, size, stdout);
      last = l->family;
      found = true;
    }
  }
  if (found) return 0;
  if (name) log_error("isa doc: no ISA, instruction, family or mnemonic '%s'", name);
  else log_error("usage: isomer isa %s", cmd_isa.usage);
  return EXIT_USAGE;
}

/* Described instructions by the set of features they need. */
static int coverage(const struct isa *isa) {
  char names[400];
  unsigned done = 1;
  printf("%s: %u instructions described\n", isa->name, isa->nleaves - 1);
  for (unsigned i = 1; i < isa->nleaves; i++) {
    uint64_t set = isa->leaves[i].requires_;
    unsigned n = 0, families = 0;
    bool seen = false;
    for (unsigned j = 1; j < i && !seen; j++) seen = isa->leaves[j].requires_ == set;
    if (seen) continue;
    for (unsigned j = i; j < isa->nleaves; j++) {
      if (isa->leaves[j].requires_ != set) continue;
      n++;
      bool again = false;
      for (unsigned k = i; k < j && !again; k++)
        again = isa->leaves[k].requires_ == set && isa->leaves[k].family == isa->leaves[j].family;
      families += !again;
    }
    feature_list(isa, set, names, sizeof names);
    printf("  %5u in %4u families  %s%s\n", n, families, names[0] ? names : "(base)",
           set & ~isa->default_features ? " (off by default)" : "");
    done += n;
  }
  if (done != isa->nleaves) log_bug("isa coverage: %u of %u leaves counted", done, isa->nleaves);
  return 0;
}

static int isa_main(void *config, int argc, char **argv) {
  const struct isa_options *o = config;
  const char *what = argv[0], *arg = argc > 1 ? argv[1] : NULL;
  if (!strcmp(what, "list") && argc == 1) return list();
  if (!strcmp(what, "show") && argc == 2) return show(o->isa, arg);
  if (!strcmp(what, "doc")) return !o->isa && arg && isa_find(arg) ? doc(arg, NULL) : doc(o->isa, arg);
  if (!strcmp(what, "coverage")) {
    const struct isa *isa = cli_isa(arg ? arg : o->isa);
    return isa ? coverage(isa) : EXIT_USAGE;
  }
  log_error("usage: isomer isa %s", cmd_isa.usage);
  return EXIT_USAGE;
}

static const struct option options[] = {
    {"isa", "ISA", OPT_STR, offsetof(struct isa_options, isa), "only this ISA"},
    {0},
};

const struct command cmd_isa = {
    .name = "isa",
    .usage = "list | show NAME | doc [ISA | NAME] | coverage ISA",
    .summary = "lists and explains the described instruction sets",
    .about =
        "list      the ISAs of this build\n"
        "show      an instruction: its place in the description and what it needs (NAME: leaf, family "
        "or mnemonic)\n"
        "doc       the generated reference, as Markdown; of one instruction, family or mnemonic with NAME\n"
        "coverage  how many instructions are described, by extension\n",
    .options = options,
    .config_size = sizeof(struct isa_options),
    .min_args = 1,
    .max_args = 2,
    .main = isa_main,
};
