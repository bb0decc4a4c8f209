/* Devices written in Lua: how they get onto the board, their calls, and the state they declare, which snapshots keep as text. */
#include <stdlib.h>
#include <string.h>

#include "script/script_int.h"

#define DEPTH 32 /* of tables within a state */

/* ---- state ---- */

/* A state is written as a string that is the same for equal states: each value a letter and its bytes, tables with their
 * keys in order. */
struct key {
  int type; /* LUA_T*; integers before other numbers */
  lua_Integer i;
  lua_Number n;
  const char *s;
  size_t len;
};

static int by_key(const void *a, const void *b) {
  const struct key *x = a, *y = b;
  if (x->type != y->type) return x->type - y->type;
  if (x->type == LUA_TSTRING) {
    int c = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
  }
  return x->i != y->i ? (x->i > y->i) - (x->i < y->i) : (x->n > y->n) - (x->n < y->n);
}

/* Stack of a writer: 1 the tables met so far, 2 the text so far as a list of strings. */
struct writer {
  lua_State *L;
  const char *device;
  char path[200]; /* of the value at hand: state.list[3] */
};

static void put(struct writer *w, const void *bytes, size_t n) {
  lua_pushlstring(w->L, bytes, n);
  lua_rawseti(w->L, 2, (lua_Integer)lua_rawlen(w->L, 2) + 1);
}

static void put_tagged(struct writer *w, char tag, const void *bytes, size_t n) {
  char piece[1 + sizeof(lua_Integer)] = {tag};
  memcpy(piece + 1, bytes, n);
  put(w, piece, 1 + n);
}

static void write_value(struct writer *w, unsigned depth);

static void refuse(struct writer *w, const char *what) {
  luaL_error(w->L, "device '%s': %s is %s: a state holds numbers, strings, booleans and tables of them",
             w->device, w->path, what);
}

static void write_scalar(struct writer *w, int at) {
  lua_State *L = w->L;
  if (lua_isinteger(L, at)) {
    lua_Integer i = lua_tointeger(L, at);
    put_tagged(w, 'i', &i, sizeof i);
  } else if (lua_type(L, at) == LUA_TNUMBER) {
    lua_Number n = lua_tonumber(L, at);
    put_tagged(w, 'n', &n, sizeof n);
  } else if (lua_type(L, at) == LUA_TSTRING) {
    size_t n;
    const char *s = lua_tolstring(L, at, &n);
    put_tagged(w, 's', &n, sizeof n);
    put(w, s, n);
  } else if (lua_type(L, at) == LUA_TBOOLEAN) {
    put(w, lua_toboolean(L, at) ? "t" : "f", 1);
  } else {
    refuse(w, luaL_typename(L, at));
  }
}

/* The table on the top, keys in order. */
static void write_table(struct writer *w, unsigned depth) {
  lua_State *L = w->L;
  int table = lua_gettop(L);
  size_t n = 0, before = strlen(w->path);
  luaL_checkstack(L, 8, "state");
  if (lua_getmetatable(L, table)) refuse(w, "a table with a metatable");
  lua_pushvalue(L, table);
  if (lua_rawget(L, 1) != LUA_TNIL) refuse(w, "a table that is already elsewhere in it");
  lua_pop(L, 1);
  if (depth > DEPTH) refuse(w, "nested too deep");
  lua_pushvalue(L, table);
  lua_pushboolean(L, true);
  lua_rawset(L, 1);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) n++;
  struct key *keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
  n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    struct key k = {.type = lua_type(L, -2)};
    if (lua_isinteger(L, -2)) {
      k.type = -1;
      k.i = lua_tointeger(L, -2);
    } else if (k.type == LUA_TNUMBER) {
      k.n = lua_tonumber(L, -2);
    } else if (k.type == LUA_TBOOLEAN) {
      k.i = lua_toboolean(L, -2);
    } else if (k.type == LUA_TSTRING) {
      k.s = lua_tolstring(L, -2, &k.len); /* the table keeps it */
    } else {
      lua_pushfstring(L, "a table with a %s as a key", luaL_typename(L, -2));
      refuse(w, lua_tostring(L, -1));
    }
    keys[n++] = k;
  }
  qsort(keys, n, sizeof *keys, by_key);
  put(w, "{", 1);
  for (size_t i = 0; i < n; i++) {
    const struct key *k = &keys[i];
    if (k->type == -1) lua_pushinteger(L, k->i);
    else if (k->type == LUA_TNUMBER) lua_pushnumber(L, k->n);
    else if (k->type == LUA_TBOOLEAN) lua_pushboolean(L, (int)k->i);
    else lua_pushlstring(L, k->s, k->len);
    write_scalar(w, -1);
    const char *name = luaL_tolstring(L, -1, NULL);
    snprintf(w->path + before, sizeof w->path - before, k->type == LUA_TSTRING ? ".%s" : "[%s]", name);
    lua_pop(L, 1);
    lua_rawget(L, table);
    write_value(w, depth);
    lua_pop(L, 1);
    w->path[before] = 0;
  }
  put(w, "}", 1);
  lua_settop(L, table);
}

static void write_value(struct writer *w, unsigned depth) {
  if (lua_istable(w->L, -1)) write_table(w, depth + 1);
  else write_scalar(w, -1);
}

/* A function of its own stack: device name, state -> string. */
static int state_text(lua_State *L) {
  struct writer w = {.L = L, .device = lua_tostring(L, 1), .path = "state"};
  luaL_Buffer b;
  lua_newtable(L);
  lua_insert(L, 1);
  lua_newtable(L);
  lua_insert(L, 2);
  write_value(&w, 0);
  luaL_buffinit(L, &b);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, 2); i <= n; i++) {
    lua_rawgeti(L, 2, i);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  return 1;
}

/* Pushes the value of its text, which is what state_text wrote; with a table on the top, its content becomes the text's,
 * and it stays the same table, as do those in it that are at the same place. Returns what is behind. */
static const char *read_table(lua_State *L, const char *at);

static const char *read_scalar(lua_State *L, const char *at) {
  lua_Integer i;
  lua_Number n;
  size_t len;
  switch (*at++) {
  case 'i':
    memcpy(&i, at, sizeof i);
    lua_pushinteger(L, i);
    return at + sizeof i;
  case 'n':
    memcpy(&n, at, sizeof n);
    lua_pushnumber(L, n);
    return at + sizeof n;
  case 's':
    memcpy(&len, at, sizeof len);
    lua_pushlstring(L, at + sizeof len, len);
    return at + sizeof len + len;
  default: lua_pushboolean(L, at[-1] == 't'); return at;
  }
}

static const char *read_table(lua_State *L, const char *at) {
  int table = lua_gettop(L);
  luaL_checkstack(L, 8, "state");
  lua_newtable(L); /* the tables in it, by key; it is emptied */
  for (lua_pushnil(L); lua_next(L, table);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    if (lua_istable(L, -1)) lua_rawset(L, table + 1);
    else lua_pop(L, 2);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, table);
  }
  for (at++; *at != '}';) {
    at = read_scalar(L, at);
    lua_pushvalue(L, -1);
    if (*at == '{') {
      lua_pushvalue(L, -1);
      if (lua_rawget(L, table + 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
      }
      at = read_table(L, at);
    } else {
      at = read_scalar(L, at);
    }
    lua_rawset(L, table);
    lua_pop(L, 1);
  }
  lua_settop(L, table);
  return at + 1;
}

/* Pushes the text of a device's state. */
static void push_state(lua_State *L, const struct sdevice *d) {
  lua_pushcfunction(L, state_text);
  lua_pushstring(L, d->id);
  lua_rawgeti(L, LUA_REGISTRYINDEX, d->state);
  lua_call(L, 2, 1);
}

/* The text on the top becomes the state; pops it. */
static void set_state(lua_State *L, const struct sdevice *d) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, d->state);
  read_table(L, lua_tostring(L, -2));
  lua_pop(L, 2);
}

void sdevices_save(lua_State *L, struct smachine *sm) {
  lua_newtable(L);
  for (const struct sdevice *d = sm->devices; d; d = d->next) {
    if (d->state == LUA_NOREF) continue;
    push_state(L, d);
    lua_setfield(L, -2, d->id);
  }
}

void sdevices_load(lua_State *L, struct smachine *sm) {
  for (const struct sdevice *d = sm->devices; d; d = d->next) {
    if (d->state == LUA_NOREF) continue;
    lua_getfield(L, -1, d->id);
    set_state(L, d);
  }
}

uint64_t sdevices_hash(lua_State *L, struct smachine *sm, uint64_t h) {
  for (const struct sdevice *d = sm->devices; d; d = d->next) {
    size_t n;
    if (d->state == LUA_NOREF) continue;
    push_state(L, d);
    const char *s = lua_tolstring(L, -1, &n);
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    lua_pop(L, 1);
  }
  return h;
}

/* ---- on the board ---- */

/* Board entries for the list of devices at `devices`, as text for the board reader; pushes a string. */
void sdevices_text(lua_State *L, struct smachine *sm) {
  luaL_Buffer b;
  if (lua_getfield(L, 1, "devices") == LUA_TNIL) {
    lua_pushliteral(L, "");
    lua_remove(L, -2);
    return;
  }
  int list = lua_gettop(L);
  luaL_checktype(L, list, LUA_TTABLE);
  lua_pushliteral(L, "return {\n");
  for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TTABLE; i++) {
    int spec = lua_gettop(L), isnum;
    struct sdevice *d = calloc(1, sizeof *d);
    if (!d) luaL_error(L, "out of memory");
    d->sm = sm;
    d->read = d->write = d->reset = d->state = d->initial = LUA_NOREF;
    d->next = sm->devices;
    sm->devices = d;
    lua_getfield(L, spec, "name");
    const char *name = luaL_checkstring(L, -1);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || !*name ||
        strlen(name) >= sizeof d->id)
      luaL_error(L, "isomer.device: name '%s': small letters, digits and dashes only", name);
    strcpy(d->id, name);
    lua_getfield(L, spec, "base");
    lua_Integer base = lua_tointegerx(L, -1, &isnum);
    lua_getfield(L, spec, "size");
    lua_Integer size = isnum ? lua_tointegerx(L, -1, &isnum) : 0;
    if (!isnum || size <= 0) luaL_error(L, "isomer.device: %s needs base and size", name);
    lua_getfield(L, spec, "irq");
    char irq[64] = "";
    if (!lua_isnil(L, -1))
      snprintf(irq, sizeof irq, "irqs = { { \"irqchip\", %d } },", (int)luaL_checkinteger(L, -1));
    int *const ref[] = {&d->read, &d->write, &d->reset};
    static const char *const key[] = {"read", "write", "reset"};
    for (int k = 0; k < 3; k++) {
      if (lua_getfield(L, spec, key[k]) == LUA_TFUNCTION) *ref[k] = luaL_ref(L, LUA_REGISTRYINDEX);
      else lua_pop(L, 1);
    }
    if (lua_getfield(L, spec, "state") == LUA_TTABLE) {
      d->state = luaL_ref(L, LUA_REGISTRYINDEX);
      push_state(L, d);
      d->initial = luaL_ref(L, LUA_REGISTRYINDEX);
    } else if (!lua_isnil(L, -1)) {
      luaL_error(L, "isomer.device: %s: state is a table", name);
    }
    lua_pushvalue(L, list + 1);
    lua_pushfstring(L,
                    "device{ \"script\", id = \"%s\", base = %I, size = %I, %s fdt = { node = \"%s\", "
                    "compatible = \"isomer,%s\" } },\n",
                    name, base, size, irq, name, name);
    lua_concat(L, 2);
    lua_replace(L, list + 1);
    lua_settop(L, list + 1);
  }
  lua_pop(L, 1);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, lua_tostring(L, list + 1));
  luaL_addstring(&b, "}");
  luaL_pushresult(&b);
  lua_replace(L, list);
  lua_settop(L, list);
}

/* ---- calls ---- */

static int device_read(void *opaque, uint64_t off, unsigned size, uint64_t *value) {
  struct sdevice *d = opaque;
  lua_State *L = d->sm->s->L;
  *value = 0;
  if (d->read == LUA_NOREF) return 0;
  lua_pushinteger(L, (lua_Integer)off);
  lua_pushinteger(L, size);
  if (!callback(d->sm, d->read, 2, 1)) return 0;
  *value = (uint64_t)lua_tointeger(L, -1);
  if (size < 8) *value &= (UINT64_C(1) << 8 * size) - 1;
  lua_pop(L, 1);
  return 0;
}

static int device_write(void *opaque, uint64_t off, unsigned size, uint64_t value) {
  struct sdevice *d = opaque;
  lua_State *L = d->sm->s->L;
  if (d->write == LUA_NOREF) return 0;
  lua_pushinteger(L, (lua_Integer)off);
  lua_pushinteger(L, size);
  lua_pushinteger(L, (lua_Integer)value);
  callback(d->sm, d->write, 3, 0);
  return 0;
}

static void device_reset_fn(void *opaque) {
  struct sdevice *d = opaque;
  if (d->initial != LUA_NOREF) {
    lua_rawgeti(d->sm->s->L, LUA_REGISTRYINDEX, d->initial);
    set_state(d->sm->s->L, d);
  }
  if (d->reset != LUA_NOREF) callback(d->sm, d->reset, 0, 0);
}

void sdevices_connect(struct smachine *sm) {
  for (struct sdevice *d = sm->devices; d; d = d->next) {
    struct script_device *k = script_device(board_device(sm->m, d->id));
    k->opaque = d;
    k->read = device_read;
    k->write = device_write;
    k->reset = device_reset_fn;
  }
}

void sdevices_free(struct smachine *sm) {
  for (struct sdevice *d = sm->devices, *next; d; d = next) {
    next = d->next;
    free(d);
  }
}

int fn_device(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  return 1;
}
