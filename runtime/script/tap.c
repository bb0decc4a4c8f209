/* Taps and breakpoints: what a machine shows to a scenario while it runs. */
#include <stdlib.h>
#include <string.h>

#include "mem/tlb.h"
#include "script/script_int.h"

/* The watch belongs to its machine; a vCPU finds it by container_of. */
static struct smachine *owner(struct vcpu *v) {
  return container_of((struct vcpu_watch *)v->c->watch, struct smachine, watch); // NOLINT: ours
}

static const char *const kinds[] = {"exec", "read", "write"};

/* Calls a tap's function with a table; its `value` afterwards, if a number, replaces *value. */
static void call(struct smachine *sm, const struct tap *t, enum tap_kind kind, gva_t addr, unsigned size,
                 gva_t pc, uint64_t *value) {
  lua_State *L = sm->s->L;
  if (!lua_checkstack(L, 20)) return;
  lua_createtable(L, 0, 5);
  lua_pushstring(L, kinds[kind]);
  lua_setfield(L, -2, "kind");
  lua_pushinteger(L, (lua_Integer)addr);
  lua_setfield(L, -2, "addr");
  lua_pushinteger(L, size);
  lua_setfield(L, -2, "size");
  lua_pushinteger(L, (lua_Integer)pc);
  lua_setfield(L, -2, "pc");
  if (value) {
    lua_pushinteger(L, (lua_Integer)*value);
    lua_setfield(L, -2, "value");
  }
  lua_pushvalue(L, -1);
  if (callback(sm, t->fn, 1, 0) && value) {
    lua_getfield(L, -1, "value");
    if (lua_isinteger(L, -1)) *value = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static bool on_exec(struct vcpu *v, gva_t pc) {
  struct smachine *sm = owner(v);
  bool stop = false;
  uint64_t n = vcpu_retired(v);
  bool again = sm->last_pc == pc && sm->last_insns == n;
  for (unsigned i = 0; i < sm->ntaps; i++) {
    const struct tap *t = &sm->taps[i];
    if (t->kind == TAP_READ || t->kind == TAP_WRITE || t->addr != pc || again) continue;
    sm->last_pc = pc;
    sm->last_insns = n;
    if (t->kind == TAP_UNTIL) {
      sm->reached = stop = true;
    } else if (t->kind == TAP_BREAK && t->fn == LUA_NOREF) {
      sm->hit = stop = true;
    } else {
      call(sm, t, TAP_EXEC, pc, 0, pc, NULL);
      if (v->pc != pc || sm->failed) stop = true; /* moved, or over: look again */
    }
  }
  if (sm->hit || sm->reached) virtual_stop(sm->m);
  return stop;
}

static bool on_page(struct vcpu *v, gva_t va) {
  const struct smachine *sm = owner(v);
  for (unsigned i = 0; i < sm->ntaps; i++) {
    const struct tap *t = &sm->taps[i];
    if (t->kind != TAP_READ && t->kind != TAP_WRITE) continue;
    gva_t first = t->addr & GUEST_PAGE_MASK, last = (t->addr + t->size - 1) & GUEST_PAGE_MASK;
    if ((va & GUEST_PAGE_MASK) >= first && (va & GUEST_PAGE_MASK) <= last) return true;
  }
  return false;
}

static void on_data(struct vcpu *v, gva_t va, unsigned size, enum access access, uint64_t *value) {
  struct smachine *sm = owner(v);
  for (unsigned i = 0; i < sm->ntaps; i++) {
    const struct tap *t = &sm->taps[i];
    if (t->kind != (access == ACCESS_WRITE ? TAP_WRITE : TAP_READ)) continue;
    if (va < t->addr + t->size && t->addr < va + size) call(sm, t, t->kind, va, size, v->pc, value);
  }
}

static void update_watch(struct smachine *sm) {
  bool exec = false, data = false;
  for (unsigned i = 0; i < sm->ntaps; i++) {
    bool watched = sm->taps[i].kind == TAP_READ || sm->taps[i].kind == TAP_WRITE;
    data |= watched;
    exec |= !watched;
  }
  sm->watch = (struct vcpu_watch){exec ? on_exec : NULL, data ? on_page : NULL, on_data};
  for (unsigned i = 0; i < sm->m->nvcpus; i++) {
    struct vcpu *v = sm->m->vcpu[i];
    v->c->watch = exec || data ? &sm->watch : NULL;
    tlb_flush_all(v); /* watched pages leave the fast path */
    if (v->c->isa->arch->context) v->c->isa->arch->context(v);
  }
}

static int add(lua_State *L, struct smachine *sm, enum tap_kind kind, gva_t addr, uint64_t size, int fn) {
  if (sm->s->in_callback) return luaL_error(L, "callbacks cannot change what is watched");
  struct tap *grown = realloc(sm->taps, (sm->ntaps + 1) * sizeof *grown);
  if (!grown) return luaL_error(L, "out of memory");
  sm->taps = grown;
  grown[sm->ntaps++] = (struct tap){kind, addr, size, fn, ++sm->next_id};
  update_watch(sm);
  return sm->next_id;
}

int machine_tap_until(lua_State *L, struct smachine *sm, gva_t pc) {
  return add(L, sm, TAP_UNTIL, pc, 1, LUA_NOREF);
}

bool machine_untap(struct smachine *sm, int id) {
  for (unsigned i = 0; i < sm->ntaps; i++) {
    if (sm->taps[i].id != id) continue;
    luaL_unref(sm->s->L, LUA_REGISTRYINDEX, sm->taps[i].fn);
    memmove(&sm->taps[i], &sm->taps[i + 1], (--sm->ntaps - i) * sizeof *sm->taps);
    update_watch(sm);
    return true;
  }
  return false;
}

static int function_of(lua_State *L) {
  if (lua_getfield(L, 2, "call") == LUA_TFUNCTION) return luaL_ref(L, LUA_REGISTRYINDEX);
  if (!lua_isnil(L, -1)) luaL_error(L, "call is a function");
  lua_pop(L, 1);
  return LUA_NOREF;
}

int m_breakpoint(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, 2, "at");
  gva_t at = check_address(L, sm, -1);
  lua_pushinteger(L, add(L, sm, TAP_BREAK, at, 1, function_of(L)));
  return 1;
}

int m_tap(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, 2, "size");
  lua_Integer size = luaL_optinteger(L, -1, 1);
  if (size < 1 || size > 1 << 20) return luaL_error(L, "tap: size is 1 to 1048576");
  for (enum tap_kind k = TAP_EXEC; k <= TAP_WRITE; k++) {
    if (lua_getfield(L, 2, kinds[k]) == LUA_TNIL) continue;
    gva_t addr = check_address(L, sm, -1);
    int fn = function_of(L);
    if (fn == LUA_NOREF) return luaL_error(L, "tap: needs call, a function");
    lua_pushinteger(L, add(L, sm, k, addr, (uint64_t)size, fn));
    return 1;
  }
  return luaL_error(L, "tap: needs read, write or exec, an address or symbol");
}

int m_untap(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  lua_Integer id = luaL_checkinteger(L, 2);
  if (sm->s->in_callback) return luaL_error(L, "callbacks cannot change what is watched");
  if (!machine_untap(sm, (int)id)) return luaL_error(L, "untap: no tap %d", (int)id);
  return 0;
}
