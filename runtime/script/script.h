/* Scenarios: Lua 5.4 scripts that build machines, drive them and judge them, deterministically. The module `isomer` they
 * see is one table (bind.c), from which the reference page and the annotations for editors are written too. */
#ifndef ISOMER_SCRIPT_SCRIPT_H
#define ISOMER_SCRIPT_SCRIPT_H

#include "core/types.h"

/* What a script is run with. Strings outlive the run. NULL or 0: nothing was said. */
struct script_options {
  const char *isa, *kernel, *initrd, *append, *bios, *board; /* defaults of isomer.machine{} */
  const char *accel; /* engines, as engine_select has them; NULL: auto */
  uint64_t memory;
  uint64_t seed;
  bool allow;               /* os, io, require, load and their like are open */
  bool tee;                 /* the guest's serial output also goes to standard output */
  const char *const *param; /* NAME=VALUE, isomer.params */
  unsigned nparams;
  const char *replay; /* the command that repeats this run, for reports */
};

enum script_result { SCRIPT_PASSED, SCRIPT_FAILED, SCRIPT_SKIPPED };

/* Runs one script to its end. What failed, or why it was skipped, goes to stderr. */
enum script_result script_run(const char *path, const struct script_options *o);

/* Write to stdout: docs/scenarios-reference.md, and a LuaLS annotation file. */
void script_reference(void);
void script_annotations(void);

#endif
