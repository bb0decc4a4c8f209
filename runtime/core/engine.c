/* Choosing an engine from a wish list. The engines themselves are elsewhere. */
#include "core/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"

/* The first word of the list that is neither `auto` nor an engine of this build, with its length; NULL when all are. */
static const char *unknown(const char *wishes, size_t *len) {
  for (const char *p = wishes; *p; p += *len + (p[*len] == ',')) {
    *len = strcspn(p, ",");
    bool found = *len == 4 && !memcmp(p, "auto", 4);
    for (unsigned i = 0; i < engine_count; i++)
      found |= strlen(engine_list[i]->name) == *len && !memcmp(p, engine_list[i]->name, *len);
    if (!found) return p;
  }
  return NULL;
}

static int attach(struct vcpu *v, const struct engine_ops *e) {
  int r = e->create(v);
  if (r) {
    log_error("engine %s: cannot create its state: %s", e->name, strerror(-r));
    return r;
  }
  v->c->engine_ops = e;
  return 0;
}

int engine_select(struct vcpu *v, const char *wishes) {
  char why[200] = "the list is empty";
  size_t len;
  const char *bad = unknown(wishes, &len);
  if (bad) {
    char there[100] = "";
    for (unsigned i = 0; i < engine_count; i++) {
      size_t at = strlen(there);
      snprintf(there + at, sizeof there - at, "%s%s", i ? ", " : "", engine_list[i]->name);
    }
    log_error("--accel: no engine '%.*s' in this build; there is: %s", (int)len, bad, there);
    return -EINVAL;
  }
  for (const char *p = wishes; *p; p += len + (p[len] == ',')) {
    len = strcspn(p, ",");
    for (unsigned i = 0; i < engine_count; i++) {
      const struct engine_ops *e = engine_list[i];
      bool any = len == 4 && !memcmp(p, "auto", 4);
      if (!any && (strlen(e->name) != len || memcmp(p, e->name, len))) continue;
      if (!e->probe(v->c->isa, why, sizeof why)) return attach(v, e);
    }
  }
  log_error("--accel %s: no usable engine: %s", wishes, why);
  return -ENOTSUP;
}

void engine_fork(enum engine_fork when) {
  for (unsigned i = 0; i < engine_count; i++)
    if (engine_list[i]->fork) engine_list[i]->fork(when);
}

int engine_option(const char *text) {
  char why[200];
  for (unsigned i = 0; i < engine_count; i++) {
    if (!engine_list[i]->option) continue;
    int r = engine_list[i]->option(text, why, sizeof why);
    if (r == -ENOENT) continue;
    if (r) log_error("%s", why);
    return r;
  }
  log_error("no engine of this build knows '%s'", text);
  return -EINVAL;
}
