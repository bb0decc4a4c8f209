/* What scenarios see of a machine's inside: memory, symbols, registers, instructions, interrupt inputs, device fields. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/counters.h"
#include "core/engine.h"
#include "mem/phys.h"
#include "mem/tlb.h"
#include "script/script_int.h"

/* ---- addresses ---- */

static bool symbol(struct smachine *sm, const char *name, uint64_t *addr) {
  for (unsigned i = 0; i < sm->nlabels; i++) {
    if (strcmp(sm->labels[i].name, name)) continue;
    *addr = sm->labels[i].addr;
    return true;
  }
  const struct sym *s = sm->has_syms ? sym_named(&sm->syms, name) : NULL;
  if (s) *addr = s->addr;
  return s != NULL;
}

uint64_t check_address(lua_State *L, struct smachine *sm, int at) {
  uint64_t addr = 0;
  if (lua_type(L, at) == LUA_TNUMBER) return (uint64_t)luaL_checkinteger(L, at);
  const char *name = luaL_checkstring(L, at);
  if (!symbol(sm, name, &addr)) luaL_error(L, "no symbol '%s' in what the machine runs", name);
  return addr;
}

int m_symbol(lua_State *L) {
  luaL_checkstring(L, 2);
  lua_pushinteger(L, (lua_Integer)check_address(L, check_machine(L, 1), 2));
  return 1;
}

void describe(struct smachine *sm, gva_t pc, char *buf, size_t n) {
  const char *name = NULL;
  uint64_t from = 0;
  for (unsigned i = 0; i < sm->nlabels; i++)
    if (sm->labels[i].addr <= pc && (!name || sm->labels[i].addr >= from)) {
      name = sm->labels[i].name;
      from = sm->labels[i].addr;
    }
  const struct sym *s = sm->has_syms ? sym_find(&sm->syms, pc) : NULL;
  if (s) {
    name = s->name;
    from = s->addr;
  }
  if (name) snprintf(buf, n, "0x%" PRIx64 " (%s+0x%" PRIx64 ")", pc, name, pc - from);
  else snprintf(buf, n, "0x%" PRIx64, pc);
}

int m_where(lua_State *L) {
  char buf[200];
  describe(check_machine(L, 1), (gva_t)luaL_checkinteger(L, 2), buf, sizeof buf);
  lua_pushstring(L, buf);
  return 1;
}

/* ---- memory ---- */

static bool is_phys(lua_State *L, int at) {
  static const char *const spaces[] = {"virt", "phys", NULL};
  return luaL_checkoption(L, at, "virt", spaces) == 1;
}

/* The physical address behind va; a fault is the script's error, not the guest's. */
static gpa_t translate(lua_State *L, struct smachine *sm, gva_t va, enum access access) {
  struct vcpu *v = sm->m->vcpu[0];
  struct translation t;
  const struct trap keep = v->c->trap;
  v->c->access_len = 1;
  if (v->c->translate(v, va, access, &t)) {
    v->c->trap = keep;
    luaL_error(L, "address 0x%I cannot be %s in the processor's present state", (lua_Integer)va,
               access == ACCESS_WRITE ? "written" : "read");
  }
  return t.pa;
}

static void transfer(lua_State *L, struct smachine *sm, uint64_t addr, bool phys, void *bytes, uint64_t n,
                     bool write) {
  uint8_t *at = bytes;
  while (n) {
    uint64_t part = phys ? n : GUEST_PAGE_SIZE - (addr & ~GUEST_PAGE_MASK);
    if (part > n) part = n;
    gpa_t pa = phys ? addr : translate(L, sm, addr, write ? ACCESS_WRITE : ACCESS_READ);
    int rc = write ? phys_write(sm->m->phys, pa, at, part) : phys_read(sm->m->phys, pa, at, part);
    if (rc) luaL_error(L, "no memory at physical address 0x%I", (lua_Integer)pa);
    addr += part;
    at += part;
    n -= part;
  }
}

int m_read(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  uint64_t addr = check_address(L, sm, 2);
  lua_Integer n = luaL_checkinteger(L, 3);
  bool phys = is_phys(L, 4);
  luaL_Buffer b;
  luaL_argcheck(L, n >= 0 && n <= 1 << 30, 3, "a number of bytes");
  char *at = luaL_buffinitsize(L, &b, (size_t)n);
  transfer(L, sm, addr, phys, at, (uint64_t)n, false);
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

int m_write(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  size_t n;
  uint64_t addr = check_address(L, sm, 2);
  const char *bytes = luaL_checklstring(L, 3, &n);
  transfer(L, sm, addr, is_phys(L, 4), (void *)bytes, n, true); // NOLINT: not written to
  return 0;
}

static int word(lua_State *L, unsigned size) {
  struct smachine *sm = check_machine(L, 1);
  uint64_t addr = check_address(L, sm, 2), value = 0;
  bool write = !lua_isnoneornil(L, 3), phys = is_phys(L, 4);
  if (write) value = (uint64_t)luaL_checkinteger(L, 3);
  gpa_t pa = phys ? addr : translate(L, sm, addr, write ? ACCESS_WRITE : ACCESS_READ);
  if (phys_ptr(sm->m->phys, pa, 1, false)) {
    transfer(L, sm, addr, phys, &value, size, write);
  } else {
    int rc = pa & (size - 1) ? -EINVAL
             : write         ? phys_mmio_write(sm->m->phys, pa, size, value)
                             : phys_mmio_read(sm->m->phys, pa, size, &value);
    raise_pending(L, sm);
    if (rc)
      luaL_error(L, "nothing answers an access of %d bytes at physical address 0x%I", (int)size,
                 (lua_Integer)pa);
  }
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}

int m_u8(lua_State *L) { return word(L, 1); }
int m_u16(lua_State *L) { return word(L, 2); }
int m_u32(lua_State *L) { return word(L, 4); }
int m_u64(lua_State *L) { return word(L, 8); }

/* ---- registers ---- */

int p_console(lua_State *L) {
  push_part(L, 1, "console", 0);
  return 1;
}

int p_cpu(lua_State *L) {
  const struct smachine *sm = check_machine(L, 1);
  lua_newtable(L);
  for (unsigned i = 0; i < sm->m->nvcpus; i++) {
    push_part(L, 1, "cpu", i);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static struct vcpu *check_vcpu(lua_State *L, int at) {
  unsigned index;
  struct smachine *sm = check_part(L, at, "cpu", &index);
  return sm->m->vcpu[index];
}

/* The named registers first, then system registers that have storage. */
static struct reg_info find(lua_State *L, const struct isa *isa, const char *name) {
  for (unsigned i = 0; i < isa->nregs; i++)
    if (!strcmp(isa->regs[i].name, name)) return isa->regs[i];
  for (unsigned i = 0; i < isa->nsysregs; i++) {
    const struct sysreg_info *s = &isa->sysregs[i];
    if (strcmp(s->name, name)) continue;
    if (s->slot_offset == ~0u)
      luaL_error(L, "register %s is computed from others: it has no value of its own", name);
    return (struct reg_info){.name = name, .offset = s->slot_offset, .bits = 64, .kind = REG_SYSTEM};
  }
  luaL_error(L, "%s has no register '%s'", isa->name, name);
  return (struct reg_info){0};
}

int cpu_get(lua_State *L) {
  struct vcpu *v = check_vcpu(L, 1);
  const struct reg_info r = find(L, v->c->isa, luaL_checkstring(L, 2));
  const char *at = (const char *)v + r.offset;
  uint64_t value = 0;
  if (r.bits > 64) {
    lua_pushlstring(L, at, r.bits / 8);
    return 1;
  }
  memcpy(&value, at, (r.bits + 7u) / 8);
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}

/* State changed from outside: nothing derived from it may stay. */
static void changed(struct vcpu *v) {
  tlb_flush_all(v);
  if (v->c->isa->arch->context) v->c->isa->arch->context(v);
}

int cpu_set(lua_State *L) {
  struct vcpu *v = check_vcpu(L, 1);
  const struct reg_info r = find(L, v->c->isa, luaL_checkstring(L, 2));
  uint64_t value;
  const uint8_t *bytes = (const uint8_t *)&value;
  if (r.bits > 64) {
    size_t n;
    bytes = (const uint8_t *)luaL_checklstring(L, 3, &n);
    luaL_argcheck(L, n == r.bits / 8, 3, "as many bytes as the register has");
  } else {
    value = (uint64_t)luaL_checkinteger(L, 3);
    if (r.bits < 64 && value >> r.bits) return luaL_error(L, "register %s has %d bits", r.name, (int)r.bits);
  }
  switch (vcpu_set_register(v, &r, bytes)) {
  case 0: break;
  case -EPERM: return luaL_error(L, "register %s is always zero", r.name);
  default: return luaL_error(L, "no %s has such a value in register %s", v->c->isa->name, r.name);
  }
  changed(v);
  return 0;
}

int cpu_x(lua_State *L) {
  unsigned index;
  (void)check_part(L, 1, "cpu", &index);
  lua_getiuservalue(L, 1, 1);
  push_part(L, -1, "cpu.registers", index);
  return 1;
}

int cpu_pc(lua_State *L) {
  struct vcpu *v = check_vcpu(L, 1);
  if (lua_gettop(L) > 1) {
    v->pc = (gva_t)luaL_checkinteger(L, 2);
    return 0;
  }
  lua_pushinteger(L, (lua_Integer)v->pc);
  return 1;
}

int cpu_insns(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)vcpu_retired(check_vcpu(L, 1)));
  return 1;
}

static void set_counter(void *data, const char *key, const char *text, uint64_t n) {
  lua_State *L = data;
  (void)text;
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, key);
}

int cpu_counters(lua_State *L) {
  const struct vcpu *v = check_vcpu(L, 1);
  const struct engine_ops *e = v->c->engine_ops;
  lua_newtable(L);
  counters_each(&v->c->stats, set_counter, L);
  if (!e->count) return 1;
  lua_newtable(L);
  e->count(v, set_counter, L);
  lua_setfield(L, -2, e->name);
  return 1;
}

/* ---- instructions ---- */

static int push_text(lua_State *L, const struct isa *isa, uint64_t features, const uint8_t *bytes, size_t n,
                     gva_t pc) {
  struct insn *d = lua_newuserdatauv(L, isa->insn_size, 0);
  char text[200];
  memset(d, 0, isa->insn_size);
  int len = isa->decode(features, bytes, n, d);
  if (len <= 0) {
    lua_pushliteral(L, "?");
    lua_pushinteger(L, isa->insn_unit);
    return 2;
  }
  isa->disasm(d, pc, DISASM_ALIASES, text, sizeof text);
  lua_pushstring(L, text);
  lua_pushinteger(L, len);
  return 2;
}

int cpu_disassemble(lua_State *L) {
  unsigned index;
  struct smachine *sm = check_part(L, 1, "cpu", &index);
  struct vcpu *v = sm->m->vcpu[index];
  gva_t pc = lua_isnoneornil(L, 2) ? v->pc : check_address(L, sm, 2);
  uint8_t bytes[16];
  size_t n = 0;
  struct translation t;
  const struct trap keep = v->c->trap;
  while (n < v->c->isa->insn_max) {
    v->c->access_len = 1;
    if (v->c->translate(v, pc + n, ACCESS_FETCH, &t) || phys_read(sm->m->phys, t.pa, bytes + n, 1)) break;
    n++;
  }
  v->c->trap = keep;
  return push_text(L, v->c->isa, v->c->features, bytes, n, pc);
}

static const struct isa *check_isa(lua_State *L, int at) {
  const char *name = luaL_checkstring(L, at);
  const struct isa *isa = isa_find(name);
  if (!isa) luaL_error(L, "no instruction set '%s'", name);
  return isa;
}

int fn_dis(lua_State *L) {
  const struct isa *isa = check_isa(L, 1);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  return push_text(L, isa, isa->default_features, (const uint8_t *)bytes, n, (gva_t)luaL_optinteger(L, 3, 0));
}

int fn_asm(lua_State *L) {
  const struct isa *isa = check_isa(L, 1);
  uint8_t out[64];
  char err[200] = "";
  int n = isa->assemble ? isa->assemble(isa->default_features, luaL_checkstring(L, 2),
                                        (gva_t)luaL_optinteger(L, 3, 0), out, err, sizeof err)
                        : -1;
  if (n < 0) return luaL_error(L, "asm: %s: %s", lua_tostring(L, 2), err);
  lua_pushlstring(L, (const char *)out, (size_t)n);
  return 1;
}

/* ---- interrupts and devices ---- */

int m_irq(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  unsigned line = (unsigned)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TBOOLEAN);
  const char *name = luaL_optstring(L, 4, NULL);
  struct device *d = name ? board_device(sm->m, name) : NULL;
  for (unsigned i = 0; !name && !d; i++) {
    struct device *k = board_device_at(sm->m, i);
    if (!k) break;
    if (k->ops->input) d = k;
  }
  struct irq q;
  if (!d || device_input_irq(d, line, &q)) return luaL_error(L, "irq: no interrupt input %d", (int)line);
  q.set(q.opaque, q.line, lua_toboolean(L, 3));
  raise_pending(L, sm);
  return 0;
}

int m_field(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  const char *id = luaL_checkstring(L, 2), *name = luaL_checkstring(L, 3);
  unsigned index = (unsigned)luaL_optinteger(L, 4, 0);
  struct device *d = board_device(sm->m, id);
  uint64_t value;
  if (!d) return luaL_error(L, "no device '%s'", id);
  int rc = lua_isnoneornil(L, 5) ? 0 : device_field_set(d, name, index, (uint64_t)luaL_checkinteger(L, 5));
  if (!rc) rc = device_field_get(d, name, index, &value);
  if (rc)
    return luaL_error(
        L, rc == -ENOENT ? "device %s has no field '%s'" : "device %s, field %s: index or value out of range",
        id, name);
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}
