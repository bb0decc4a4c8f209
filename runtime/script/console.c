/* Consoles of scenarios: what the guest wrote, waiting for it, typing. */
#include <stdlib.h>
#include <string.h>

#include "script/script_int.h"

#define LOOK_NS 1000000 /* how often expect looks: every virtual millisecond */

struct chardev_script *console_of(struct smachine *sm) {
  return chardev_script(board_chardev(sm->m, false));
}

uint64_t check_duration(lua_State *L, int at) {
  static const struct {
    const char *unit;
    double ns;
  } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}};
  if (lua_type(L, at) == LUA_TNUMBER) return (uint64_t)(luaL_checknumber(L, at) * 1e9);
  const char *s = luaL_checkstring(L, at);
  char *end;
  double n = strtod(s, &end);
  for (unsigned i = 0; end != s && n >= 0 && n < 1e9 && i < ARRAY_SIZE(units); i++)
    if (!strcmp(end, units[i].unit)) return (uint64_t)(n * units[i].ns);
  luaL_error(L, "'%s' is no time: give text like \"30s\", \"10ms\", \"5us\" or \"100ns\"", s);
  return 0;
}

/* `within` of the options at `at`. */
static uint64_t limit_of(lua_State *L, int at, const char *other) {
  if (lua_isnoneornil(L, at)) {
    lua_pushstring(L, other);
  } else {
    luaL_checktype(L, at, LUA_TTABLE);
    if (lua_getfield(L, at, "within") == LUA_TNIL) lua_pushstring(L, other);
  }
  return check_duration(L, lua_gettop(L));
}

/* Matches the pattern at index 2 in what is new; leaves the results on the stack and returns how many, or 0. */
static int match(lua_State *L, struct smachine *sm) {
  const struct chardev_script *c = console_of(sm);
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "isomer.find");
  lua_pushlstring(L, c->nout > sm->seen ? c->out + sm->seen : "",
                  c->nout > sm->seen ? c->nout - sm->seen : 0);
  int text = lua_gettop(L);
  lua_pushvalue(L, text);
  lua_insert(L, top + 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, LUA_MULTRET);
  if (lua_isnil(L, top + 2)) {
    lua_settop(L, top);
    return 0;
  }
  lua_Integer from = lua_tointeger(L, top + 2), to = lua_tointeger(L, top + 3);
  int n = lua_gettop(L) - (top + 3);
  sm->seen += (size_t)to;
  if (n) return n;
  lua_pushlstring(L, lua_tostring(L, top + 1) + from - 1, (size_t)(to - from + 1));
  return 1;
}

/* Stack: console, pattern, options, the time until which, how long that was. */
static int expect(lua_State *L, int end);

static int expect_goes_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return expect(L, wait_result(L));
}

static int expect(lua_State *L, int end) {
  struct smachine *sm = check_part(L, 1, "console", NULL);
  const char *pattern = lua_tostring(L, 2);
  const uint64_t until = (uint64_t)lua_tointeger(L, 4);
  for (size_t looked = SIZE_MAX;;) {
    if (console_of(sm)->nout != looked) {
      int n = match(L, sm);
      if (n) return n;
      looked = console_of(sm)->nout;
    }
    if (end == VIRTUAL_ENDED)
      return luaL_error(L, "the machine ended (%s) before \"%s\" came", end_name(sm->m), pattern);
    if (end == VIRTUAL_IDLE) return luaL_error(L, "the machine waits forever before \"%s\" came", pattern);
    if (end == VIRTUAL_STOPPED) return luaL_error(L, "a breakpoint was reached before \"%s\" came", pattern);
    uint64_t now = virtual_now(sm->m), look = now - now % LOOK_NS + LOOK_NS;
    if (now >= until)
      return luaL_error(L, "\"%s\" did not come within %f s", pattern, (double)lua_tointeger(L, 5) / 1e9);
    end = machine_wait(L, sm, UINT64_MAX, look < until ? look : until, expect_goes_on);
  }
}

int c_expect(lua_State *L) {
  const struct smachine *sm = check_part(L, 1, "console", NULL);
  luaL_checkstring(L, 2);
  uint64_t ns = limit_of(L, 3, "30s"), now = virtual_now(sm->m);
  lua_settop(L, 3);
  lua_pushinteger(L, (lua_Integer)(now + ns < now ? UINT64_MAX : now + ns));
  lua_pushinteger(L, (lua_Integer)ns);
  return expect(L, VIRTUAL_TIME);
}

static int type(lua_State *L, const char *more) {
  struct smachine *sm = check_part(L, 1, "console", NULL);
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  if (chardev_script_send(console_of(sm), text, n) || chardev_script_send(console_of(sm), more, strlen(more)))
    return luaL_error(L, "out of memory");
  return 0;
}

int c_send(lua_State *L) { return type(L, ""); }
int c_sendline(lua_State *L) { return type(L, "\n"); }

int c_text(lua_State *L) {
  const struct chardev_script *c = console_of(check_part(L, 1, "console", NULL));
  lua_pushlstring(L, c->nout ? c->out : "", c->nout);
  return 1;
}

int c_rest(lua_State *L) {
  const struct smachine *sm = check_part(L, 1, "console", NULL);
  const struct chardev_script *c = console_of(check_part(L, 1, "console", NULL));
  lua_pushlstring(L, c->nout > sm->seen ? c->out + sm->seen : "",
                  c->nout > sm->seen ? c->nout - sm->seen : 0);
  return 1;
}

/* Stack: machine, address, options, the address as a number, how long it may take. */
static int run_until(lua_State *L, int end) {
  struct smachine *sm = check_machine(L, 1);
  char where[200];
  if (end == WAIT_REACHED) return 0;
  describe(sm, (gva_t)lua_tointeger(L, 4), where, sizeof where);
  if (end == VIRTUAL_ENDED)
    return luaL_error(L, "the machine ended (%s) before it reached %s", end_name(sm->m), where);
  if (end == VIRTUAL_STOPPED) return luaL_error(L, "a breakpoint was reached before %s", where);
  return luaL_error(L, "%s was not reached within %f s", where, (double)lua_tointeger(L, 5) / 1e9);
}

static int run_until_goes_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return run_until(L, wait_result(L));
}

int m_run_until(lua_State *L) {
  struct smachine *sm = check_machine(L, 1);
  gva_t pc = check_address(L, sm, 2);
  uint64_t now = virtual_now(sm->m), ns = limit_of(L, 3, "30s");
  lua_settop(L, 3);
  lua_pushinteger(L, (lua_Integer)pc);
  lua_pushinteger(L, (lua_Integer)ns);
  return run_until(L,
                   machine_wait_until(L, sm, pc, now + ns < now ? UINT64_MAX : now + ns, run_until_goes_on));
}
