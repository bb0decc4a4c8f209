/* The reference page and the annotations for the Lua language server, written from the binding table. */
#include <stdio.h>
#include <string.h>

#include "script/script_int.h"

void script_reference(void) {
  printf(
      "# Scenario reference\n\nWritten by `isomer help --scenarios` from the table that binds these names. "
      "[scenarios.md](scenarios.md) is the tutorial.\n"
      "`isomer.seed` is the seed of the run, `isomer.params` a table of what `--set NAME=VALUE` gave.\n");
  for (unsigned i = 0; binding_classes[i][0]; i++) {
    const char *cls = binding_classes[i][0];
    printf("\n## %s\n\n%s\n", cls, binding_classes[i][1]);
    for (const struct binding *b = bindings; b->cls; b++) {
      if (strcmp(b->cls, cls)) continue;
      if (b->kind == 'p') printf("\n### %s.%s\n\n`%s`\n\n%s\n", cls, b->name, b->signature, b->doc);
      else
        printf("\n### %s%c%s\n\n`%s%c%s%s`\n\n%s\n", cls, b->kind == 'm' ? ':' : '.', b->name, cls,
               b->kind == 'm' ? ':' : '.', b->name, b->signature, b->doc);
    }
  }
}

/* "(a: t, b: t?): r" becomes a `fun` type without spaces that matter. */
static void annotation(const struct binding *b, const char *cls) {
  if (b->kind == 'p') {
    printf("---@field %s %s %s\n", b->name, b->signature, b->doc);
    return;
  }
  printf("---@field %s fun(", b->name);
  if (b->kind == 'm') printf("self: isomer.%s%s", cls, b->signature[1] == ')' ? "" : ", ");
  printf("%s %s\n", b->signature + 1, b->doc);
}

void script_annotations(void) {
  printf("---@meta\n-- Written by `isomer help --lua`.\n");
  for (unsigned i = 1; binding_classes[i][0]; i++)
    printf("---@alias %s isomer.%s\n", binding_classes[i][0], binding_classes[i][0]);
  for (unsigned i = 0; binding_classes[i][0]; i++) {
    const char *cls = binding_classes[i][0];
    bool module = !strcmp(cls, "isomer");
    printf("\n---%s\n---@class %s%s\n", binding_classes[i][1], module ? "" : "isomer.", cls);
    if (module) printf("---@field seed integer\n---@field params table<string, string>\n");
    for (const struct binding *b = bindings; b->cls; b++)
      if (!strcmp(b->cls, cls)) annotation(b, cls);
  }
  printf("\n---@type isomer\nisomer = {}\n");
}
