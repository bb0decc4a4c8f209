/* Memory under --check. Translated code runs once, for real, and says what it read and wrote; the interpreter then gets the same
 * bytes and must write the same, without touching memory. So threads, devices and other processes may change memory at any time,
 * and no effect happens twice. That the code read what is there is compared apart: with what was there just before, and is now. */
#include <string.h>

#include "jit/check_int.h"
#include "mem/access.h"
#include "mem/replay.h"
#include "mem/space.h"
#include "mem/tlb.h"
#include "os/guest_access.h"

bool check_access(struct jit *j, gva_t a, uint32_t what, const uint8_t *host) {
  struct check *k = j->check;
  const unsigned size = CG_ACCESS_BYTES(what);
  if (k->n == CHECK_MADE || size > CHECK_WIDTH) return false;
  struct made *m = &k->made[k->n];
  *m = (struct made){.a = a,
                     .host = host,
                     .insn = (uint16_t)CG_ACCESS_INSN(what),
                     .size = (uint8_t)size,
                     .kind = (uint8_t)CG_ACCESS_KIND(what)};
  if (os_guest_read(m->old, (uintptr_t)host, size)) return false;
  j->env.seen = &m->seen;
  k->n++;
  return true;
}

void check_settle(struct check *k, unsigned insns) {
  k->settled = 0;
  while (k->settled < k->n && k->made[k->settled].insn < insns) {
    struct made *m = &k->made[k->settled++];
    uint64_t sum;
    memcpy(m->in, m->seen.value, m->size);
    memcpy(m->out, m->seen.wrote, m->size);
    m->met = 0;
    m->used = false;
    m->reads = m->kind != CG_STORE && m->kind != CG_STOREX;
    m->writes = m->kind != CG_LOAD && m->kind != CG_LOADX;
    switch (m->kind) {
    case CG_ADD:
      sum = m->seen.value[0] + m->seen.wrote[0];
      memcpy(m->out, &sum, m->size);
      break;
    case CG_CAS: m->writes = !memcmp(m->in, m->seen.expect, m->size); break;
    case CG_STOREX: m->writes = m->seen.value[0]; break;
    default: break;
    }
  }
}

/* ---- the interpreter's accesses ---- */

static void differs(struct check *k, const char *what, gva_t a, unsigned size, const void *translated,
                    const void *interpreted) {
  if (k->bad.what) return; /* the first says it */
  k->bad.what = what;
  k->bad.a = a;
  k->bad.size = size;
  k->bad.known = translated && interpreted;
  if (translated) memcpy(k->bad.translated, translated, size);
  if (interpreted) memcpy(k->bad.interpreted, interpreted, size);
}

/* Instructions of the block before the one that the interpreter is at. */
static unsigned done(const struct vcpu *v) { return (unsigned)(jit_of(v)->check->budget - v->budget); }

static bool covers(const struct made *m, gva_t byte) { return byte - m->a < m->size; }

/* The byte as the block knew it at this instruction: read by the instruction itself, or read or written before and kept. */
static bool known(const struct check *k, unsigned now, gva_t byte, uint8_t *out) {
  for (unsigned i = 0; i < k->settled; i++) {
    const struct made *m = &k->made[i];
    if (m->insn != now || !m->reads || !covers(m, byte)) continue;
    *out = m->in[byte - m->a];
    return true;
  }
  for (unsigned i = k->settled; i--;) {
    const struct made *m = &k->made[i];
    if (m->insn >= now || !covers(m, byte) || !(m->reads || m->writes)) continue;
    *out = m->writes ? m->out[byte - m->a] : m->in[byte - m->a];
    return true;
  }
  return false;
}

/* Is the access allowed? Threads of a program may unmap memory meanwhile, so there the host's word has to do. */
static int allowed(struct vcpu *v, gva_t a, uint64_t size, enum access access) {
  struct check *k = jit_of(v)->check;
  const struct mem_replay *replay = mem_replay;
  if (v->c->space) {
    if (space_holds(v->c->space, a, size)) return 0;
    differs(k, "translated code leaves the program's memory", a, 0, NULL, NULL);
    return vcpu_trap(v, 0, 0, 0, 0, 0);
  }
  mem_replay = NULL;
  v->tag_data = k->tag;
  int rc = mem_probe(v, a, size, access);
  v->tag_data = 0;
  mem_replay = replay;
  if (rc) differs(k, "the interpreter faults where translated code does not", a, 0, NULL, NULL);
  return rc;
}

static int replay_load(struct vcpu *v, gva_t a, unsigned size, void *out) {
  struct check *k = jit_of(v)->check;
  const unsigned now = done(v);
  int rc = allowed(v, a, size, ACCESS_READ);
  for (unsigned i = 0; !rc && i < k->settled;
       i++) { /* an instruction may read a place twice, and see two values */
    struct made *m = &k->made[i];
    if (m->insn != now || !m->reads || m->used || m->a != a || m->size != size) continue;
    m->used = true;
    memcpy(out, m->in, size);
    return 0;
  }
  for (unsigned i = 0; !rc && i < size; i++) {
    if (known(k, now, a + i, (uint8_t *)out + i)) continue;
    differs(k, "the interpreter reads what translated code does not", a, 0, NULL, NULL);
    rc = vcpu_trap(v, 0, 0, 0, 0, 0);
  }
  return rc;
}

static int replay_store(struct vcpu *v, gva_t a, unsigned size, const void *in) {
  struct check *k = jit_of(v)->check;
  uint8_t translated[CHECK_WIDTH] = {0};
  const unsigned now = done(v);
  unsigned found = 0;
  int rc = allowed(v, a, size, ACCESS_WRITE);
  if (rc) return rc;
  for (unsigned i = 0; i < size; i++) {
    bool here = false;
    for (unsigned n = 0; n < k->settled; n++) {
      struct made *m = &k->made[n];
      if (m->insn != now || !m->writes || !covers(m, a + i)) continue;
      translated[i] = m->out[a + i - m->a];
      m->met |= (uint16_t)(1u << (a + i - m->a));
      here = true;
    }
    found += here;
  }
  if (found < size) differs(k, "the interpreter writes what translated code does not", a, 0, NULL, NULL);
  else if (memcmp(translated, in, size)) differs(k, "memory", a, size, translated, in);
  return 0;
}

static int replay_store_ex(struct vcpu *v, gva_t a, unsigned size, const void *in, uint8_t *ok) {
  struct check *k = jit_of(v)->check;
  const unsigned now = done(v);
  for (unsigned n = 0; n < k->settled; n++) {
    const struct made *m = &k->made[n];
    if (m->insn != now || m->kind != CG_STOREX || m->a != a || m->size != size) continue;
    *ok = m->writes && v->c->excl_addr == a;
    return *ok ? replay_store(v, a, size, in) : 0;
  }
  differs(k, "the interpreter writes what translated code does not", a, 0, NULL, NULL);
  return vcpu_trap(v, 0, 0, 0, 0, 0);
}

void check_replay(struct jit *j, bool on) {
  static const struct mem_replay ops = {replay_load, replay_store, replay_store_ex, allowed};
  struct vcpu *v = j->v;
  struct check *k = j->check;
  if (on) {
    k->bad.what = NULL;
    k->budget = v->budget;
    k->tag = v->tag_data;
    if (!j->direct) v->tag_data = 0; /* so that every access asks */
  } else {
    v->tag_data = k->tag;
  }
  mem_replay = on ? &ops : NULL;
}

bool check_stored(struct check *k) {
  for (unsigned i = 0; i < k->settled && !k->bad.what; i++) {
    const struct made *m = &k->made[i];
    if (m->writes && m->met != (1u << m->size) - 1)
      differs(k, "translated code writes what the interpreter does not", m->a, 0, NULL, NULL);
  }
  return !k->bad.what;
}

/* ---- is it true? ---- */

/* Is it written again by the block? */
static bool later(const struct check *k, unsigned i) {
  const struct made *m = &k->made[i];
  for (unsigned n = i + 1; n < k->n; n++) {
    const struct made *o = &k->made[n];
    if (o->kind != CG_LOAD && o->kind != CG_LOADX && (covers(o, m->a) || covers(m, o->a))) return true;
  }
  return false;
}

/* Does nothing but this vCPU write there? */
static bool alone(struct jit *j, gva_t a) {
  const struct vcpu_common *c = j->v->c;
  struct space_info i;
  if (!jit_single(j)) return false;
  if (j->direct) return space_next(c->space, a, &i) && i.start <= a && !i.shared;
  return !c->machine || c->resched;
}

bool check_there(struct jit *j) {
  struct check *k = j->check;
  const struct made *wrong = NULL;
  uint8_t now[CHECK_WIDTH] = {0};
  for (unsigned i = 0; i < k->settled && !wrong; i++) {
    const struct made *m = &k->made[i];
    const bool read = m->reads && memcmp(m->in, m->old, m->size);
    if (!read && (!m->writes || later(k, i))) continue;
    if (os_guest_read(now, (uintptr_t)m->host, m->size)) continue;
    if ((read && memcmp(m->in, now, m->size)) || (m->writes && !later(k, i) && memcmp(m->out, now, m->size)))
      wrong = m;
  }
  if (!wrong || !alone(j, wrong->a)) return true; /* another thread, process or device was there in between */
  differs(k, "what translated code read or wrote is not what is there:", wrong->a, wrong->size,
          wrong->reads ? wrong->in : wrong->out, now);
  return false;
}

void check_undo(struct check *k) {
  for (unsigned i = k->n; i--;)
    if (k->made[i].kind != CG_LOAD && k->made[i].kind != CG_LOADX)
      os_guest_write((uintptr_t)k->made[i].host, k->made[i].old, k->made[i].size);
}
