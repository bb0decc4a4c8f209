/* Machines of scenarios: making them, running them to a point, time, snapshots. Memory, taps and consoles are other files'. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/log.h"
#include "mem/phys.h"
#include "script/script_int.h"

struct smachine *check_machine(lua_State *L, int at) {
  return *(struct smachine **)luaL_checkudata(L, at, "machine");
}

struct part {
  struct smachine *sm;
  unsigned index;
};

struct smachine *check_part(lua_State *L, int at, const char *cls, unsigned *index) {
  struct part *p = luaL_checkudata(L, at, cls);
  if (index) *index = p->index;
  return p->sm;
}

void push_part(lua_State *L, int machine_at, const char *cls, unsigned index) {
  struct part *p;
  machine_at = lua_absindex(L, machine_at);
  p = lua_newuserdatauv(L, sizeof *p, 1);
  *p = (struct part){check_machine(L, machine_at), index};
  lua_pushvalue(L, machine_at); /* keeps it alive */
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, cls);
}

/* ---- configuration ---- */

static const char *text_of(lua_State *L, const char *key, const char *other) {
  if (lua_getfield(L, 1, key) == LUA_TNIL) {
    lua_pop(L, 1);
    return other;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "isomer.machine: %s is no text", key);
  const char *s = lua_tostring(L, -1); /* the table keeps it */
  lua_pop(L, 1);
  return s;
}

static uint64_t ram_of(lua_State *L, uint64_t other) {
  const char *s = text_of(L, "ram", NULL);
  char *end;
  if (!s) return other;
  uint64_t n = strtoull(s, &end, 0);
  unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : *end ? 99 : 0;
  if (shift == 99 || end[*end != 0] || n > UINT64_MAX >> shift || !n)
    luaL_error(L, "isomer.machine: ram is text like \"256M\"");
  return n << shift;
}

static const struct isa *isa_of(lua_State *L, const char *name, const char *file, bool *elf) {
  const struct isa *isa = name ? isa_find(name) : NULL;
  if (name && !isa) luaL_error(L, "isomer.machine: no instruction set '%s'", name);
  *elf = false;
  if (!file) return isa;
  struct load_file f;
  struct load_info info;
  if (load_open(file, isa, false, &f, &info)) luaL_error(L, "isomer.machine: %s cannot be loaded", file);
  *elf = info.kind == LOAD_ELF;
  load_file_free(&f);
  return info.isa;
}

static void load_symbols(struct smachine *sm, const char *file, const struct isa *isa) {
  struct load_file f;
  struct load_info info;
  char why[200];
  if (load_open(file, isa, false, &f, &info)) return;
  sm->has_syms = info.kind == LOAD_ELF && !symtab_load(&info.elf, 0, &sm->syms, why, sizeof why);
  load_file_free(&f);
}

/* ---- making ---- */

void smachine_free(struct smachine *sm) {
  if (sm->m) board_free(sm->m);
  machine_free(sm->m);
  if (sm->has_syms) symtab_free(&sm->syms);
  sdevices_free(sm);
  free(sm->labels);
  free(sm->taps);
  free(sm);
}

static void build(lua_State *L, struct smachine *sm) {
  const struct script_options *o = sm->s->o;
  const char *code = text_of(L, "code", NULL), *elf = text_of(L, "elf", NULL),
             *name = text_of(L, "isa", o->isa);
  const char *kernel = elf ? elf : text_of(L, "kernel", code ? NULL : o->kernel);
  const char *bios = text_of(L, "bios", code || elf ? NULL : o->bios);
  char path[64];
  bool is_elf;
  int fd = -1, isnum = 1;
  const struct isa *isa = isa_of(L, name, kernel, &is_elf);
  if (!isa) luaL_error(L, "isomer.machine: nothing to run: give kernel, elf or code (with isa)");
  if (code) {
    gpa_t base = 0x80000000;
    if (lua_getfield(L, 1, "base") != LUA_TNIL) base = (gpa_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    fd = code_elf(L, isa, code, base, &sm->labels, &sm->nlabels);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    kernel = path;
  }
  if (lua_getfield(L, 1, "seed") == LUA_TNIL) lua_pushinteger(L, (lua_Integer)o->seed);
  uint64_t seed = (uint64_t)lua_tointegerx(L, -1, &isnum);
  if (!isnum) luaL_error(L, "isomer.machine: seed is a number");
  sdevices_text(L, sm);
  const char *devices = lua_tostring(L, -1);
  sm->m = machine_new(isa);
  if (!sm->m || virtual_enable(sm->m, seed)) luaL_error(L, "isomer.machine: out of memory");
  const struct board_config bc = {.ram_bytes = ram_of(L, o->memory),
                                  .board = text_of(L, "board", o->board),
                                  .kernel = kernel,
                                  .initrd = text_of(L, "initrd", code || elf ? NULL : o->initrd),
                                  .bios = bios,
                                  .append = text_of(L, "append", o->append),
                                  .serial = "script",
                                  .console = "null",
                                  .devices = *devices ? devices : NULL};
  int rc = board_create(sm->m, &bc);
  if (!rc && is_elf) load_symbols(sm, kernel, isa);
  if (fd >= 0) close(fd);
  if (rc) luaL_error(L, "isomer.machine: the machine could not be made: %s", strerror(-rc));
  sdevices_connect(sm);
  if (o->tee) console_of(sm)->tee = STDOUT_FILENO;
  if (engine_select(sm->m->vcpu[0], o->accel ? o->accel : "auto") || board_boot(sm->m))
    luaL_error(L, "isomer.machine: the machine cannot be started");
  raise_pending(L, sm);
}

int fn_machine(lua_State *L) {
  struct script *s = script_of(L);
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  struct smachine **at = lua_newuserdatauv(L, sizeof *at, 1), *sm = calloc(1, sizeof *sm);
  if (!sm) return luaL_error(L, "out of memory");
  *at = sm;
  sm->s = s;
  sm->last_insns = UINT64_MAX;
  sm->next = s->machines; /* freed with the script, whatever happens below */
  s->machines = sm;
  luaL_setmetatable(L, "machine");
  int self = lua_gettop(L);
  build(L, sm);
  lua_settop(L, self);
  return 1;
}

/* ---- running ---- */

void push_pending(lua_State *L, struct smachine *sm) {
  sm->failed = false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, sm->error);
  luaL_unref(L, LUA_REGISTRYINDEX, sm->error);
}

void raise_pending(lua_State *L, struct smachine *sm) {
  if (!sm->failed) return;
  push_pending(L, sm);
  lua_error(L);
}

bool callback(struct smachine *sm, int fn, int nargs, int nresults) {
  lua_State *L = sm->s->L;
  if (sm->failed) { /* the first error is the one that is told */
    lua_pop(L, nargs);
    return false;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
  lua_insert(L, -nargs - 1);
  struct smachine *outer = sm->s->running;
  sm->s->running = sm;
  sm->s->in_callback++;
  int rc = lua_pcall(L, nargs, nresults, 0);
  sm->s->in_callback--;
  sm->s->running = outer;
  if (!rc) return true;
  sm->failed = true;
  sm->error = luaL_ref(L, LUA_REGISTRYINDEX);
  virtual_stop(sm->m);
  return false;
}

static const char *reason(int end) {
  switch (end) {
  case VIRTUAL_ENDED: return "end";
  case VIRTUAL_STOPPED: return "break";
  case VIRTUAL_INSNS: return "insns";
  case VIRTUAL_TIME: return "time";
  default: return "idle";
  }
}

static uint64_t add(uint64_t a, uint64_t b) { return a + b < a ? UINT64_MAX : a + b; }

static int run_goes_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_pushstring(L, reason(wait_result(L)));
  return 1;
}

static int run(lua_State *L, struct smachine *sm, uint64_t insns, uint64_t ns) {
  lua_pushstring(L, reason(machine_wait(L, sm, insns, ns, run_goes_on)));
  return 1;
}

int m_run(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  uint64_t insns = UINT64_MAX, ns = UINT64_MAX;
  if (lua_type(L, 2) == LUA_TNUMBER) insns = add(virtual_insns(sm->m), (uint64_t)luaL_checkinteger(L, 2));
  else if (!lua_isnoneornil(L, 2)) ns = add(virtual_now(sm->m), check_duration(L, 2));
  return run(L, sm, insns, ns);
}

int m_step(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  return run(L, sm, add(virtual_insns(sm->m), (uint64_t)luaL_optinteger(L, 2, 1)), UINT64_MAX);
}

int m_boot(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  if (board_boot(sm->m)) return luaL_error(L, "the machine cannot be started again");
  raise_pending(L, sm);
  sm->m->virt->waiting = false;
  return 0;
}

int p_now(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)virtual_now(check_machine(L, 1)->m));
  return 1;
}

int p_insns(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)virtual_insns(check_machine(L, 1)->m));
  return 1;
}

const char *end_name(const struct machine *m) {
  switch ((enum machine_end)m->end) {
  case END_NONE: return NULL;
  case END_POWEROFF: return "poweroff";
  case END_RESET: return "reset";
  case END_CODE: return "code";
  case END_FAILURE: return "failure";
  case END_QUIT: return "quit";
  case END_TIMEOUT: return "timeout";
  case END_ERROR: break;
  }
  return "error";
}

int p_ended(lua_State *L) {
  lua_pushstring(L, end_name(check_machine(L, 1)->m));
  return 1;
}

int p_code(lua_State *L) {
  const struct machine *m = check_machine(L, 1)->m;
  if (m->end != END_CODE && m->end != END_POWEROFF) return 0;
  lua_pushinteger(L, (lua_Integer)m->end_code);
  return 1;
}

int m_advance(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  sm->m->virt->skip_ns += check_duration(L, 2);
  return 0;
}

int m_drought(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  sm->m->virt->drought = lua_toboolean(L, 2);
  return 0;
}

/* ---- snapshots ---- */

struct ssnap {
  struct smachine *sm;
  struct board_snap *snap;
  size_t seen; /* of the console */
};

int snapshot_gc(lua_State *L) {
  struct ssnap *s = luaL_checkudata(L, 1, "snapshot");
  if (s->snap) board_snap_free(s->sm->m, s->snap);
  s->snap = NULL;
  return 0;
}

int m_snapshot(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  struct ssnap *s = lua_newuserdatauv(L, sizeof *s, 2);
  if (sm->s->in_callback) return luaL_error(L, "callbacks cannot take snapshots");
  sdevices_save(L, sm);
  lua_setiuservalue(L, -2, 2);
  s->sm = sm;
  s->seen = sm->seen;
  s->snap = board_snapshot(sm->m);
  if (!s->snap) return luaL_error(L, "snapshot: out of memory");
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, "snapshot");
  return 1;
}

int m_restore(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  struct ssnap *s = luaL_checkudata(L, 2, "snapshot");
  if (sm->s->in_callback) return luaL_error(L, "callbacks cannot restore snapshots");
  if (s->sm != sm) return luaL_error(L, "restore: a snapshot of another machine");
  if (board_restore(sm->m, s->snap))
    return luaL_error(L, "restore: memory was short when the snapshot was kept");
  lua_getiuservalue(L, 2, 2);
  sdevices_load(L, sm);
  sm->seen = s->seen;
  sm->last_insns = UINT64_MAX;
  return 0;
}

int m_hash(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  lua_pushinteger(L, (lua_Integer)sdevices_hash(L, sm, board_hash(sm->m)));
  return 1;
}
