/* Tasks: functions of a scenario that wait each on their own, and the one place where machines of a scenario run. The script
 * itself waits here on the C stack and drives; tasks are coroutines that it resumes, in the order they were made, when what
 * they wait for has come. Who waits changes nothing for the guest: stops between two instructions leave no trace. */
#include <string.h>

#include "script/script_int.h"

#define TURN_NS \
  1000000 /* with several machines waited for, each runs so long before the one that is behind */
#define STUCK           1000 /* waits of a task in a row in which its machine did not move */

#define EACH_WAIT(s, w) for (struct wait *w = &(s)->wait; w; w = w->next)

static bool is_over(const struct wait *w) {
  return w->kind == WAIT_START || (w->kind == WAIT_TASK ? w->other->state != TASK_LIVE : w->over);
}

static void over(struct wait *w, int end) {
  w->over = true;
  w->end = end;
}

static void leave(struct wait *w) {
  if (w->kind == WAIT_MACHINE && w->until) machine_untap(w->sm, w->until);
  w->kind = WAIT_NONE;
}

/* Pushes where a task waits or will begin: "s.lua:7". */
static const char *push_place(lua_State *L, struct task *t) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(t->co, level, &ar); level++)
    if (lua_getinfo(t->co, "Sl", &ar) && ar.currentline > 0)
      return lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  lua_pushvalue(t->co, 1);
  lua_getinfo(t->co, ">S", &ar);
  return lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
}

/* ---- tasks ---- */

static void unlink_task(struct task *t, enum task_state state) {
  leave(&t->wait);
  t->state = state;
  EACH_WAIT(t->s, w)
  if (w->next == &t->wait) {
    w->next = t->wait.next;
    break;
  }
  luaL_unref(t->s->L, LUA_REGISTRYINDEX, t->ref);
}

/* Lets a task go on until it waits again or ends. False with a message pushed when it fails. */
static bool resume(lua_State *L, struct task *t) {
  struct script *s = t->s;
  lua_State *outer = s->L;
  bool fresh = t->wait.kind == WAIT_START;
  int n;
  if (!fresh) lua_pushinteger(t->co, t->wait.end);
  leave(&t->wait);
  s->task = t;
  s->L = t->co; /* callbacks run where the scenario is */
  int rc = lua_resume(t->co, L, !fresh, &n);
  s->L = outer;
  s->task = NULL;
  if (rc == LUA_YIELD && t->wait.kind != WAIT_NONE) return true;
  if (!rc) {
    unlink_task(t, TASK_DONE); /* its results stay on its stack, for `join` */
    return true;
  }
  if (rc == LUA_YIELD)
    lua_pushliteral(t->co, "yielded to nobody: tasks wait with run, step, run_until, expect and join");
  lua_pushfstring(L, "task '%s': ", t->name);
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
  luaL_traceback(L, t->co, luaL_tolstring(L, -1, NULL), 0);
  lua_replace(L, -3);
  lua_pop(L, 1);
  lua_concat(L, 2);
  unlink_task(t, TASK_FAILED);
  lua_resetthread(t->co);
  return false;
}

static struct task *ready(struct script *s) {
  EACH_WAIT(s, w) if (w->task && is_over(w)) return w->task;
  return NULL;
}

/* ---- machines ---- */

/* The machine to run next: of those waited for, the one whose time is least; *alone: there is no other. */
static struct smachine *next_machine(struct script *s, bool *alone) {
  struct smachine *sm = NULL;
  *alone = true;
  EACH_WAIT(s, w) {
    if (w->kind != WAIT_MACHINE) continue;
    if (sm && w->sm != sm) *alone = false;
    if (!sm || virtual_now(w->sm->m) < virtual_now(sm->m)) sm = w->sm;
  }
  return sm;
}

/* Runs a machine to the first point at which somebody's wait for it is over. */
static enum virtual_end go(struct script *s, struct smachine *sm, bool alone) {
  uint64_t insns = UINT64_MAX, ns = alone ? UINT64_MAX : virtual_now(sm->m) + TURN_NS;
  EACH_WAIT(s, w) {
    if (w->kind != WAIT_MACHINE || w->sm != sm) continue;
    if (w->insns < insns) insns = w->insns;
    if (w->ns < ns) ns = w->ns;
  }
  sm->hit = sm->reached = false;
  enum virtual_end end = virtual_run(sm->m, insns, ns);
  EACH_WAIT(s, w) {
    if (w->kind != WAIT_MACHINE || w->sm != sm) continue;
    if (end == VIRTUAL_ENDED || end == VIRTUAL_IDLE) over(w, end);
    else if (sm->reached && w->until && w->pc == sm->m->vcpu[0]->pc) over(w, WAIT_REACHED);
    else if (sm->hit) over(w, VIRTUAL_STOPPED);
    else if (virtual_insns(sm->m) >= w->insns) over(w, VIRTUAL_INSNS);
    else if (virtual_now(sm->m) >= w->ns) over(w, VIRTUAL_TIME);
  }
  return end;
}

/* Everybody waits for somebody and nobody for a machine. */
static void push_deadlock(lua_State *L, struct script *s) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "deadlock: nobody waits for a machine; ");
  EACH_WAIT(s, w) {
    lua_pushfstring(L, w->task ? ", '%s'" : "%s", w->task ? w->task->name : "the script");
    luaL_addvalue(&b);
    luaL_addstring(&b, " waits for '");
    luaL_addstring(&b, w->other->name);
    luaL_addstring(&b, "'");
  }
  luaL_pushresult(&b);
}

/* The script waits: machines run and tasks go on until that is over. False with what went wrong pushed. */
static bool drive(lua_State *L, struct script *s) {
  for (;;) {
    for (struct task *t; (t = ready(s));)
      if (!resume(L, t)) return false;
    if (is_over(&s->wait)) return true;
    bool alone;
    struct smachine *sm = next_machine(s, &alone);
    if (!sm) {
      push_deadlock(L, s);
      return false;
    }
    lua_State *outer = s->L;
    s->L = L;
    enum virtual_end end = go(s, sm, alone);
    s->L = outer;
    if (sm->failed) {
      push_pending(L, sm);
      return false;
    }
    if (end == VIRTUAL_ERROR) {
      lua_pushliteral(L, "the engine failed");
      return false;
    }
  }
}

/* ---- waiting ---- */

/* What stands in `w` (kind and target) is waited for by whoever runs L. */
static int wait(lua_State *L, struct wait w, lua_KFunction k) {
  struct script *s = script_of(L);
  struct task *t = s->task;
  struct wait *mine = t ? &t->wait : &s->wait;
  if (s->in_callback)
    return luaL_error(L, "callbacks cannot run a machine or wait; what they start with isomer.task can");
  if (t && (t->co != L || !lua_isyieldable(L)))
    return luaL_error(L, "task '%s' can wait in its own coroutine alone, and not in functions that C calls",
                      t->name);
  if (w.kind == WAIT_MACHINE && t) {
    uint64_t insns = virtual_insns(w.sm->m), now = virtual_now(w.sm->m);
    t->stuck = insns == t->insns && now == t->now ? t->stuck + 1 : 0;
    t->insns = insns;
    t->now = now;
    if (t->stuck >= STUCK)
      return luaL_error(L, "task '%s' waits and waits, but its machine does not move: it %s", t->name,
                        w.sm->m->end ? "has ended" : "waits forever, or the waits have no length");
  }
  if (w.until) w.until = machine_tap_until(L, w.sm, w.pc);
  w.task = t;
  w.next = mine->next;
  *mine = w;
  if (t) return lua_yieldk(L, 0, 0, k);
  bool good = drive(L, s);
  leave(mine);
  if (!good) lua_error(L);
  return mine->end;
}

int machine_wait(lua_State *L, struct smachine *sm, uint64_t insns, uint64_t ns, lua_KFunction k) {
  return wait(L, (struct wait){.kind = WAIT_MACHINE, .sm = sm, .insns = insns, .ns = ns}, k);
}

int machine_wait_until(lua_State *L, struct smachine *sm, gva_t pc, uint64_t ns, lua_KFunction k) {
  return wait(
      L, (struct wait){.kind = WAIT_MACHINE, .sm = sm, .insns = UINT64_MAX, .ns = ns, .until = 1, .pc = pc},
      k);
}

int wait_result(lua_State *L) {
  int end = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return end;
}

/* ---- what scripts call ---- */

static struct task *check_task(lua_State *L, int at) { return luaL_checkudata(L, at, "task"); }

int fn_task(lua_State *L) {
  struct script *s = script_of(L);
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  struct task *t = lua_newuserdatauv(L, sizeof *t, 2);
  memset(t, 0, sizeof *t);
  t->s = s;
  t->name = name;
  t->insns = t->now = UINT64_MAX;
  t->wait = (struct wait){.kind = WAIT_START, .task = t};
  t->co = lua_newthread(L);
  lua_pushvalue(L, 2);
  lua_xmove(L, t->co, 1);
  lua_setiuservalue(L, 3, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 3, 2);
  luaL_setmetatable(L, "task");
  lua_pushvalue(L, 3);
  t->ref = luaL_ref(L, LUA_REGISTRYINDEX); /* as long as it lives */
  struct wait *last = &s->wait;
  while (last->next) last = last->next;
  last->next = &t->wait;
  if (s->in_callback) virtual_stop(s->running->m); /* it starts behind this instruction */
  return 1;
}

static int joined(lua_State *L, struct task *t) {
  if (t->state == TASK_STOPPED) return luaL_error(L, "task '%s' was stopped", t->name);
  if (t->state == TASK_FAILED) return luaL_error(L, "task '%s' failed", t->name);
  int n = lua_gettop(t->co);
  luaL_checkstack(L, n, "too many results");
  if (!lua_checkstack(t->co, n)) return luaL_error(L, "out of memory");
  for (int i = 1; i <= n; i++) lua_pushvalue(t->co, i);
  lua_xmove(t->co, L, n);
  return n;
}

static int join_goes_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return joined(L, check_task(L, 1));
}

int t_join(lua_State *L) {
  struct task *t = check_task(L, 1);
  lua_settop(L, 1);
  if (t->state == TASK_LIVE) wait(L, (struct wait){.kind = WAIT_TASK, .other = t}, join_goes_on);
  return joined(L, t);
}

int t_stop(lua_State *L) {
  struct task *t = check_task(L, 1);
  if (t->s->in_callback) return luaL_error(L, "callbacks cannot stop tasks");
  if (t->s->task == t) return luaL_error(L, "task '%s' cannot stop itself: it returns", t->name);
  if (t->state != TASK_LIVE) return 0;
  unlink_task(t, TASK_STOPPED);
  if (lua_resetthread(t->co)) { /* a value of its own that was to be closed failed */
    lua_xmove(t->co, L, 1);
    return lua_error(L);
  }
  return 0;
}

int t_name(lua_State *L) {
  lua_pushstring(L, check_task(L, 1)->name);
  return 1;
}

int t_done(lua_State *L) {
  lua_pushboolean(L, check_task(L, 1)->state != TASK_LIVE);
  return 1;
}

/* ---- the end of the script ---- */

int tasks_left(lua_State *L) {
  const struct wait *first = script_of(L)->wait.next;
  if (!first) return 0;
  const char *place = push_place(L, first->task);
  return luaL_error(L, "task '%s' was neither joined nor stopped: it waits at %s", first->task->name, place);
}

void tasks_report(lua_State *L, struct script *s, FILE *out) {
  EACH_WAIT(s, w) {
    if (!w->task) continue;
    fprintf(out, "  task: %s waits at %s\n", w->task->name, push_place(L, w->task));
    lua_pop(L, 1);
  }
}
