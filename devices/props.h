/* Board tables in C: a tree of values, independent of the language boards are written in. */
#ifndef ISOMER_DEVICES_PROPS_H
#define ISOMER_DEVICES_PROPS_H

#include "core/types.h"

enum prop_type {
  PROP_BOOL,
  PROP_INT,  /* num */
  PROP_U64,  /* num; two cells in a device tree */
  PROP_STR,  /* str, len */
  PROP_REF,  /* str: label of a node, its phandle in a device tree */
  PROP_TABLE /* kid[0..nkids): elements in order (key NULL) first, then named members sorted by key */
};

struct prop {
  char *key; /* owned; NULL for an element of a list */
  enum prop_type type;
  uint64_t num;
  char *str; /* owned, NUL-terminated; len excludes the NUL */
  size_t len;
  struct prop *kid; /* owned */
  size_t nkids;
  size_t nlist;  /* how many kids are list elements */
  unsigned line; /* where the value was written, 0 if unknown */
};

/* Frees what p holds, not p itself. */
void props_clear(struct prop *p);

/* Members of a table; NULL when t is NULL, no table, or has none. */
const struct prop *prop_get(const struct prop *t, const char *key);
const struct prop *prop_at(const struct prop *t, size_t index);

/* Typed access with a default for what is absent. A value of another type is -EINVAL with a message that names the key;
 * prop_int also refuses values outside [min, max]. */
int prop_int(const struct prop *t, const char *key, uint64_t def, uint64_t min, uint64_t max, uint64_t *out);
int prop_str(const struct prop *t, const char *key, const char *def, const char **out);
int prop_bool(const struct prop *t, const char *key, bool def, bool *out);

#endif
