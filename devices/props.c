/* Access to board values. Making them is the table loader's part. */
#include "devices/props.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

void props_clear(struct prop *p) {
  for (size_t i = 0; i < p->nkids; i++) props_clear(&p->kid[i]);
  free(p->kid);
  free(p->key);
  free(p->str);
  *p = (struct prop){0};
}

const struct prop *prop_get(const struct prop *t, const char *key) {
  if (!t || t->type != PROP_TABLE) return NULL;
  for (size_t i = t->nlist; i < t->nkids; i++)
    if (!strcmp(t->kid[i].key, key)) return &t->kid[i];
  return NULL;
}

const struct prop *prop_at(const struct prop *t, size_t index) {
  return t && t->type == PROP_TABLE && index < t->nlist ? &t->kid[index] : NULL;
}

int prop_int(const struct prop *t, const char *key, uint64_t def, uint64_t min, uint64_t max, uint64_t *out) {
  const struct prop *p = prop_get(t, key);
  *out = p ? p->num : def;
  if (!p) return 0;
  if (p->type != PROP_INT && p->type != PROP_U64) {
    log_error("%s: not an integer", key);
    return -EINVAL;
  }
  if (p->num < min || p->num > max) {
    log_error("%s = 0x%" PRIx64 ": must be 0x%" PRIx64 " to 0x%" PRIx64, key, p->num, min, max);
    return -EINVAL;
  }
  return 0;
}

int prop_str(const struct prop *t, const char *key, const char *def, const char **out) {
  const struct prop *p = prop_get(t, key);
  *out = p ? p->str : def;
  if (!p || p->type == PROP_STR) return 0;
  log_error("%s: not a string", key);
  return -EINVAL;
}

int prop_bool(const struct prop *t, const char *key, bool def, bool *out) {
  const struct prop *p = prop_get(t, key);
  *out = p ? p->num != 0 : def;
  if (!p || p->type == PROP_BOOL) return 0;
  log_error("%s: not true or false", key);
  return -EINVAL;
}
