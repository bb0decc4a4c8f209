/* Runs a board's Lua script and turns the table it returns into props. Scripts are the operator's own (trusted), but get no
 * I/O: a board is a description. */
#include <errno.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/isa.h"
#include "core/log.h"
#include "devices/board_int.h"

#define MAX_DEPTH 16
#define MAX_ITEMS 65536

/* Keys of tables that the script's helper functions make. */
#define KEY_LINE "__line"
#define KEY_REF  "__ref"
#define KEY_U64  "__u64"

struct conv {
  lua_State *L;
  const char *board;
  unsigned line;  /* of the innermost device{} around the value */
  unsigned items; /* converted so far */
};

/* device{...} -> the same table, with the line it was written on. */
static int fn_device(lua_State *L) {
  lua_Debug ar;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar)) {
    lua_pushinteger(L, ar.currentline);
    lua_setfield(L, 1, KEY_LINE);
  }
  return 1;
}

static int fn_ref(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, KEY_REF);
  return 1;
}

static int fn_u64(lua_State *L) {
  luaL_checkinteger(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, KEY_U64);
  return 1;
}

static int refuse(const struct conv *c, const char *what) {
  if (c->line) log_error("%s:%u: %s", c->board, c->line, what);
  else log_error("%s: %s", c->board, what);
  return -EINVAL;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const struct prop *)a)->key, ((const struct prop *)b)->key);
}

static int convert(struct conv *c, int depth, struct prop *out);

static int set_str(struct prop *out, enum prop_type type, lua_State *L) {
  const char *s = lua_tolstring(L, -1, &out->len);
  out->type = type;
  out->str = malloc(out->len + 1);
  if (!out->str) return -ENOMEM;
  memcpy(out->str, s, out->len + 1);
  return 0;
}

/* The table on top of the stack has a member `key`: replaces the table by it. */
static bool unwrap(lua_State *L, const char *key) {
  if (lua_getfield(L, -1, key) == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  lua_remove(L, -2);
  return true;
}

static int convert_table(struct conv *c, int depth, struct prop *out) {
  lua_State *L = c->L;
  int rc = 0;
  size_t cap = 0, list = lua_rawlen(L, -1);
  unsigned outer = c->line;
  out->type = PROP_TABLE;
  if (lua_getfield(L, -1, KEY_LINE) == LUA_TNUMBER) c->line = (unsigned)lua_tointeger(L, -1);
  lua_pop(L, 1);
  out->line = c->line;
  lua_pushnil(L);
  while (!rc && lua_next(L, -2)) {
    if (out->nkids == cap) {
      cap = cap ? 2 * cap : list > 8 ? list : 8;
      struct prop *grown = realloc(out->kid, cap * sizeof *grown);
      if (!grown) {
        rc = -ENOMEM;
        lua_pop(L, 2);
        break;
      }
      out->kid = grown;
    }
    if (lua_type(L, -2) == LUA_TSTRING) {
      if (strcmp(lua_tostring(L, -2), KEY_LINE)) {
        struct prop *kid = &out->kid[out->nkids++];
        *kid = (struct prop){.key = strdup(lua_tostring(L, -2))};
        rc = kid->key ? convert(c, depth + 1, kid) : -ENOMEM;
      }
    } else if (!lua_isinteger(L, -2) || (uint64_t)lua_tointeger(L, -2) - 1 >= list) {
      rc = refuse(c, "table keys must be names, or 1, 2, 3, ...");
    }
    lua_pop(L, 1);
    if (rc) lua_pop(L, 1);
  }
  if (rc) return rc;
  /* named members are in; now the list in its order, in front of them */
  size_t named = out->nkids;
  if (named) qsort(out->kid, named, sizeof *out->kid, by_key);
  if (list) {
    struct prop *all = calloc(named + list, sizeof *all);
    if (!all) return -ENOMEM;
    if (named) memcpy(all + list, out->kid, named * sizeof *all);
    free(out->kid);
    out->kid = all;
    out->nkids = named + list;
    out->nlist = list;
    for (size_t i = 0; i < list && !rc; i++) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      rc = convert(c, depth + 1, &all[i]);
      lua_pop(L, 1);
    }
  }
  c->line = outer;
  return rc;
}

/* Converts the value on top of the stack, which stays there. */
static int convert(struct conv *c, int depth, struct prop *out) {
  lua_State *L = c->L;
  int rc = 0;
  out->line = c->line;
  if (depth > MAX_DEPTH || ++c->items > MAX_ITEMS)
    return refuse(c, "table too deep or too large (does it contain itself?)");
  if (!lua_checkstack(L, 8)) return -ENOMEM;
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN:
    out->type = PROP_BOOL;
    out->num = (uint64_t)lua_toboolean(L, -1);
    return 0;
  case LUA_TNUMBER: {
    int exact;
    out->type = PROP_INT;
    out->num = (uint64_t)lua_tointegerx(L, -1, &exact);
    return exact ? 0 : refuse(c, "a number is not an integer");
  }
  case LUA_TSTRING: return set_str(out, PROP_STR, L);
  case LUA_TTABLE:
    lua_pushvalue(L, -1);
    if (unwrap(L, KEY_REF)) {
      rc = set_str(out, PROP_REF, L);
    } else if (unwrap(L, KEY_U64)) {
      out->type = PROP_U64;
      out->num = (uint64_t)lua_tointeger(L, -1);
    } else {
      rc = convert_table(c, depth, out);
    }
    lua_pop(L, 1);
    return rc;
  default: return refuse(c, "a value is neither table, string, integer nor boolean");
  }
}

static void set_int(lua_State *L, const char *key, uint64_t v) {
  lua_pushinteger(L, (lua_Integer)v);
  lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool v) {
  lua_pushboolean(L, v);
  lua_setfield(L, -2, key);
}

static void push_request(lua_State *L, const struct board_request *rq) {
  lua_newtable(L);
  set_int(L, "ram", rq->ram_bytes);
  set_int(L, "cpus", rq->cpus);
  set_bool(L, "kernel", rq->kernel);
  set_bool(L, "initrd", rq->initrd);
  set_bool(L, "bios", rq->bios);
  lua_newtable(L);
  for (unsigned i = 0; rq->isa && i < rq->isa->nfeatures; i++)
    if (rq->features >> i & 1) set_bool(L, rq->isa->features[i].name, true);
  lua_setfield(L, -2, "features");
}

/* Everything that may raise a Lua error runs in here, under lua_pcall. Stack: light pointer to struct job. */
struct job {
  const char *name, *text;
  size_t len;
  const struct board_request *rq;
};

static int run(lua_State *L) {
  static const luaL_Reg libs[] = {{LUA_GNAME, luaopen_base},
                                  {LUA_STRLIBNAME, luaopen_string},
                                  {LUA_TABLIBNAME, luaopen_table},
                                  {LUA_MATHLIBNAME, luaopen_math}};
  static const char *const unwanted[] = {"dofile", "loadfile", "load", "print", "collectgarbage"};
  struct job *j = lua_touserdata(L, 1);
  char chunk[256];
  for (unsigned i = 0; i < ARRAY_SIZE(libs); i++) {
    luaL_requiref(L, libs[i].name, libs[i].func, 1);
    lua_pop(L, 1);
  }
  for (unsigned i = 0; i < ARRAY_SIZE(unwanted); i++) {
    lua_pushnil(L);
    lua_setglobal(L, unwanted[i]);
  }
  lua_register(L, "device", fn_device);
  lua_register(L, "ref", fn_ref);
  lua_register(L, "u64", fn_u64);
  snprintf(chunk, sizeof chunk, "@%s", j->name);
  if (luaL_loadbufferx(L, j->text, j->len, chunk, "t")) return lua_error(L);
  push_request(L, j->rq);
  lua_call(L, 1, 1);
  return 1;
}

int board_eval(const char *name, const char *text, size_t len, const struct board_request *rq,
               struct prop *out) {
  int rc = -EINVAL;
  struct job job = {name, text, len, rq};
  *out = (struct prop){0};
  lua_State *L = luaL_newstate();
  if (!L) {
    log_error("%s: out of memory", name);
    return -ENOMEM;
  }
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &job);
  if (lua_pcall(L, 1, 1, 0)) {
    const char *why = lua_tostring(L, -1);
    log_error("%s", why ? why : "board script failed without a message");
  } else if (!lua_istable(L, -1)) {
    log_error("%s: the board script returns no table", name);
  } else {
    struct conv c = {.L = L, .board = name};
    rc = convert(&c, 0, out);
    if (rc == -ENOMEM) log_error("%s: out of memory", name);
  }
  if (rc) props_clear(out);
  lua_close(L);
  return rc;
}
