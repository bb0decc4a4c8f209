/* A script from beginning to end: its Lua state with only what it may use, the module from the binding table, and the report
 * when it fails. */
#include "script/script_int.h"

#include <inttypes.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_LINES 20

struct script *script_of(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "isomer.script");
  struct script *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

/* ---- functions that need no machine ---- */

int fn_check(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_toboolean(L, 1)) return luaL_error(L, "%s", luaL_optstring(L, 2, "check failed"));
  lua_settop(L, 1);
  return 1;
}

int fn_fail(lua_State *L) { return luaL_error(L, "%s", luaL_optstring(L, 1, "failed")); }

int fn_skip(lua_State *L) {
  script_of(L)->skipped = true;
  return luaL_error(L, "%s", luaL_optstring(L, 1, "skipped"));
}

int fn_log(lua_State *L) {
  luaL_Buffer b;
  int n = lua_gettop(L);
  luaL_buffinit(L, &b);
  for (int i = 1; i <= n; i++) {
    if (i > 1) luaL_addchar(&b, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return 0;
}

static uint64_t next_random(struct script *s) { /* splitmix64 */
  uint64_t z = s->rng += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

int fn_rand(lua_State *L) {
  lua_Integer low = luaL_checkinteger(L, 1), high = luaL_checkinteger(L, 2);
  luaL_argcheck(L, low <= high, 2, "not below the first number");
  uint64_t range = (uint64_t)high - (uint64_t)low + 1, r = next_random(script_of(L));
  lua_pushinteger(L, (lua_Integer)((uint64_t)low + (range ? r % range : r)));
  return 1;
}

/* ---- objects ---- */

/* Upvalues: methods, properties. Method, or the property's value. */
static int index_object(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  if (lua_gettable(L, lua_upvalueindex(2)) == LUA_TNIL)
    return luaL_error(L, "there is no '%s' here", luaL_tolstring(L, 2, NULL));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Only the program counter can be assigned. */
static int assign_object(lua_State *L) {
  const char *name = luaL_checkstring(L, 2);
  if (!luaL_testudata(L, 1, "cpu") || strcmp(name, "pc"))
    return luaL_error(L, "'%s' cannot be assigned", name);
  lua_remove(L, 2);
  return cpu_pc(L);
}

/* cpu.x: the same userdata under another name; registers are its fields. */
static int as_cpu(lua_State *L, lua_CFunction fn) {
  unsigned index;
  (void)check_part(L, 1, "cpu.registers", &index);
  lua_getiuservalue(L, 1, 1);
  push_part(L, -1, "cpu", index);
  lua_replace(L, 1);
  lua_pop(L, 1);
  return fn(L);
}

static int index_registers(lua_State *L) { return as_cpu(L, cpu_get); }
static int assign_registers(lua_State *L) { return as_cpu(L, cpu_set); }

static void class(lua_State *L, const char *cls) {
  luaL_newmetatable(L, cls);
  lua_newtable(L);
  lua_newtable(L);
  for (const struct binding *b = bindings; b->cls; b++) {
    if (strcmp(b->cls, cls)) continue;
    lua_pushcfunction(L, b->fn);
    lua_setfield(L, b->kind == 'p' ? -2 : -3, b->name);
  }
  if (!strcmp(cls, "cpu")) { /* the same under the names people look for */
    static const char *const alias[] = {"f", "sys", "r"};
    for (unsigned i = 0; i < ARRAY_SIZE(alias); i++) {
      lua_pushcfunction(L, cpu_x);
      lua_setfield(L, -2, alias[i]);
    }
  }
  lua_pushcclosure(L, index_object, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, assign_object);
  lua_setfield(L, -2, "__newindex");
  lua_pushliteral(L, "closed");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

static void module(lua_State *L, const struct script *s) {
  for (unsigned i = 0; binding_classes[i][0]; i++)
    if (strcmp(binding_classes[i][0], "isomer")) class(L, binding_classes[i][0]);
  luaL_newmetatable(L, "cpu.registers");
  lua_pushcfunction(L, index_registers);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, assign_registers);
  lua_setfield(L, -2, "__newindex");
  luaL_newmetatable(L, "snapshot");
  lua_pushcfunction(L, snapshot_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 2);
  lua_newtable(L);
  for (const struct binding *b = bindings; b->cls; b++) {
    if (strcmp(b->cls, "isomer")) continue;
    lua_pushcfunction(L, b->fn);
    lua_setfield(L, -2, b->name);
  }
  lua_pushinteger(L, (lua_Integer)s->o->seed);
  lua_setfield(L, -2, "seed");
  lua_newtable(L);
  for (unsigned i = 0; i < s->o->nparams; i++) {
    const char *eq = strchr(s->o->param[i], '=');
    lua_pushlstring(L, s->o->param[i], eq ? (size_t)(eq - s->o->param[i]) : strlen(s->o->param[i]));
    lua_pushstring(L, eq ? eq + 1 : "");
    lua_settable(L, -3);
  }
  lua_setfield(L, -2, "params");
  lua_setglobal(L, "isomer");
}

/* ---- the state ---- */

static void open_libraries(lua_State *L, const struct script *s) {
  static const luaL_Reg safe[] = {{LUA_GNAME, luaopen_base},       {LUA_STRLIBNAME, luaopen_string},
                                  {LUA_TABLIBNAME, luaopen_table}, {LUA_MATHLIBNAME, luaopen_math},
                                  {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_COLIBNAME, luaopen_coroutine}};
  static const char *const closed[] = {"dofile", "loadfile", "load"};
  if (s->o->allow) {
    luaL_openlibs(L);
  } else {
    for (unsigned i = 0; i < ARRAY_SIZE(safe); i++) {
      luaL_requiref(L, safe[i].name, safe[i].func, 1);
      lua_pop(L, 1);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(closed); i++) {
      lua_pushnil(L);
      lua_setglobal(L, closed[i]);
    }
  }
  lua_pushcfunction(L, fn_log);
  lua_setglobal(L, "print");
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "find");
  lua_setfield(L, LUA_REGISTRYINDEX, "isomer.find");
  lua_pop(L, 1);
  lua_getglobal(L, "math"); /* else seeded by the host's clock */
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, (lua_Integer)s->o->seed);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}

static int with_place(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int setup(lua_State *L) {
  struct script *s = lua_touserdata(L, 1);
  lua_pushlightuserdata(L, s);
  lua_setfield(L, LUA_REGISTRYINDEX, "isomer.script");
  open_libraries(L, s);
  module(L, s);
  return 0;
}

/* ---- the report ---- */

static void tail(struct smachine *sm) {
  const struct chardev_script *c = console_of(sm);
  size_t at = c->nout;
  unsigned lines = 1;
  if (!at) return;
  if (c->out[at - 1] == '\n') at--;
  while (at && !(c->out[at - 1] == '\n' && lines++ == TAIL_LINES)) at--;
  fprintf(stderr, "  console:\n");
  for (size_t from = at; from < c->nout;) {
    size_t len = 0;
    while (from + len < c->nout && c->out[from + len] != '\n') len++;
    fprintf(stderr, "  | ");
    for (size_t i = 0; i < len; i++) {
      unsigned char b = (unsigned char)c->out[from + i];
      if (b != '\r') fputc(b < 32 && b != '\t' ? '?' : b, stderr);
    }
    fputc('\n', stderr);
    from += len + 1;
  }
}

static void report(struct script *s, const char *why) {
  fprintf(stderr, "FAILED: %s\n", why);
  for (struct smachine *sm = s->machines; sm; sm = sm->next) {
    if (!sm->m || !sm->m->board || !sm->m->nvcpus || !console_of(sm)) continue;
    char where[200];
    describe(sm, sm->m->vcpu[0]->pc, where, sizeof where);
    tail(sm);
    fprintf(stderr, "  time: %.9f s, %" PRIu64 " instructions\n  pc: %s\n", (double)virtual_now(sm->m) / 1e9,
            virtual_insns(sm->m), where);
  }
  tasks_report(s->L, s, stderr);
  if (s->o->replay) fprintf(stderr, "  replay: %s\n", s->o->replay);
}

enum script_result script_run(const char *path, const struct script_options *o) {
  struct script s = {.o = o, .rng = o->seed};
  enum script_result result = SCRIPT_FAILED;
  lua_State *L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "FAILED: out of memory\n");
    return SCRIPT_FAILED;
  }
  s.L = L;
  lua_pushcfunction(L, with_place);
  lua_pushcfunction(L, setup);
  lua_pushlightuserdata(L, &s);
  int rc = lua_pcall(L, 1, 0, 1);
  if (!rc) rc = luaL_loadfilex(L, path, "t");
  if (!rc) rc = lua_pcall(L, 0, 0, 1);
  if (!rc) {
    lua_pushcfunction(L, tasks_left);
    rc = lua_pcall(L, 0, 0, 1);
  }
  if (!rc) {
    result = SCRIPT_PASSED;
  } else if (s.skipped) {
    const char *why = lua_tostring(L, -1);
    fprintf(stderr, "SKIPPED: %.*s\n", (int)strcspn(why ? why : "", "\n"), why ? why : "");
    result = SCRIPT_SKIPPED;
  } else {
    const char *why = lua_tostring(L, -1);
    report(&s, why ? why : "an error without a message");
  }
  lua_close(L);
  while (s.machines) {
    struct smachine *sm = s.machines;
    s.machines = sm->next;
    smachine_free(sm);
  }
  return result;
}
