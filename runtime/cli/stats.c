/* --stats: counters of vCPUs, engine and process, printed as text or JSON. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/counters.h"
#include "core/engine.h"
#include "interp/interp.h"
#include "user/user.h"

static uint64_t counter(const struct vcpu_stats *s, size_t offset) {
  return *(const uint64_t *)((const char *)s + offset);
}

static const char *const exit_names[] = {"none", "kick", "budget", "wait", "trap", "shutdown", "error"};

static int rollup_fd = -1;

void stats_prepare(void) {
  if (rollup_fd < 0) rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
}

/* KiB of a field of smaps_rollup, -1 when the host does not tell. */
static int64_t rollup(const char *field) {
  char text[4096];
  long long kib;
  stats_prepare();
  ssize_t n = pread(rollup_fd, text, sizeof text - 1, 0);
  if (n <= 0) return -1;
  text[n] = 0;
  for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    size_t len = strlen(field);
    if (!strncmp(line, field, len) && line[len] == ':')
      return sscanf(line + len + 1, "%lld", &kib) == 1 ? kib : -1;
  }
  return -1;
}

struct out {
  bool json;
  const char *group; /* JSON: the open object */
  bool first;
};

static void number(struct out *o, const char *key, const char *text, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void number(struct out *o, const char *key, const char *text, const char *fmt, ...) {
  char value[64];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(value, sizeof value, fmt, ap);
  va_end(ap);
  if (o->json) fprintf(stderr, "%s\"%s\":%s", o->first ? "" : ",", key, value);
  else fprintf(stderr, "  %-40s %s\n", text, value);
  o->first = false;
}

static void open_group(struct out *o, const char *key) {
  if (o->json) fprintf(stderr, "%s\"%s\":{", o->first ? "" : ",", key);
  o->first = true;
}

static void close_group(struct out *o) {
  if (o->json) fprintf(stderr, "}");
  o->first = false;
}

static void each_count(void *data, const char *key, const char *text, uint64_t n) {
  number(data, key, text, "%" PRIu64, n);
}

static void memory(struct out *o) {
  int64_t pss = rollup("Pss"), shmem = rollup("Pss_Shmem");
  if (pss < 0 || shmem < 0) return;
  number(o, "memory_kib", "memory beyond guest RAM (Pss), KiB", "%" PRId64, pss - shmem);
  number(o, "guest_ram_kib", "guest RAM touched (Pss), KiB", "%" PRId64, shmem);
}

void stats_print(const struct isa *isa, struct vcpu *const *v, unsigned n, const struct vcpu_stats *sum,
                 struct run_times t, bool json, const struct user_process *user) {
  struct out o = {.json = json, .first = true};
  char text[64], key[24];
  struct vcpu_stats all = {0};
  uint64_t pages = 0, decoded = 0;

  for (unsigned i = 0; i < n; i++) {
    if (!sum) vcpu_stats_add(&all, v[i]);
    if (!v[i]->c->engine) continue;
    struct interp_usage u = interp_usage(v[i]);
    pages += u.pages, decoded += u.insns;
  }
  if (sum) all = *sum;
  const uint64_t insns = all.insns;
  fputs(json ? "{" : "statistics:\n", stderr);
  number(&o, "instructions", "instructions", "%" PRIu64, insns);
  number(&o, "wall_seconds", "wall-clock seconds", "%.6f", (double)t.wall_ns / 1e9);
  number(&o, "cpu_seconds", user ? "CPU seconds" : "CPU seconds of vCPU 0", "%.6f", (double)t.cpu_ns / 1e9);
  if (t.cpu_ns)
    number(&o, "mips", "million instructions per CPU second", "%.2f", (double)insns * 1e3 / (double)t.cpu_ns);
  counters_each(&all, each_count, &o);
  number(&o, "decoded_pages", "decoded cache: pages held", "%" PRIu64, pages);
  number(&o, "decoded_insns", "decoded cache: instructions held", "%" PRIu64, decoded);
  memory(&o);

  const struct engine_ops *e = n ? v[0]->c->engine_ops : NULL;
  if (e && e->count) {
    open_group(&o, e->name);
    e->count(v[0], each_count, &o);
    close_group(&o);
  }
  open_group(&o, "traps");
  for (unsigned k = 0; k < VCPU_TRAP_COUNTERS; k++) {
    uint64_t c = counter(&all, offsetof(struct vcpu_stats, traps) + k * sizeof(uint64_t));
    if (!c) continue;
    const char *name = k < isa->ntraps ? isa->traps[k].name : NULL;
    snprintf(key, sizeof key, "%u", k);
    snprintf(text, sizeof text, "trap %s", name ? name : key);
    number(&o, name ? name : key, text, "%" PRIu64, c);
  }
  close_group(&o);
  open_group(&o, "interrupts");
  for (unsigned k = 0; k < 64; k++) {
    uint64_t c = counter(&all, offsetof(struct vcpu_stats, interrupts) + k * sizeof(uint64_t));
    if (!c) continue;
    const char *name = isa->arch->interrupt_name ? isa->arch->interrupt_name(k) : NULL;
    snprintf(key, sizeof key, "%u", k);
    snprintf(text, sizeof text, "interrupt %s", name ? name : key);
    number(&o, name ? name : key, text, "%" PRIu64, c);
  }
  close_group(&o);
  open_group(&o, "exits");
  for (unsigned k = 0; k < ARRAY_SIZE(exit_names); k++) {
    uint64_t c = counter(&all, offsetof(struct vcpu_stats, exits) + k * sizeof(uint64_t));
    snprintf(text, sizeof text, "exit %s", exit_names[k]);
    if (c) number(&o, exit_names[k], text, "%" PRIu64, c);
  }
  close_group(&o);
  if (user) {
    const char *name;
    uint64_t nr, count, errors;
    uint32_t request;
    open_group(&o, "system_calls");
    for (unsigned i = 0; user_counted_call(user, &i, &name, &count, &errors);) {
      snprintf(text, sizeof text, "system call %s", name);
      if (json) number(&o, name, text, "{\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 "}", count, errors);
      else if (errors) number(&o, name, text, "%" PRIu64 ", errors %" PRIu64, count, errors);
      else number(&o, name, text, "%" PRIu64, count);
    }
    close_group(&o);
    open_group(&o, "unknown_system_calls");
    for (unsigned i = 0; user_unknown_call(user, i, &nr, &name, &count); i++) {
      snprintf(key, sizeof key, "%" PRIu64, nr);
      snprintf(text, sizeof text, "system call %s%s%s%s answered ENOSYS", key, name ? " (" : "",
               name ? name : "", name ? ")" : "");
      number(&o, key, text, "%" PRIu64, count);
    }
    close_group(&o);
    open_group(&o, "unknown_ioctls");
    for (unsigned i = 0; user_unknown_request(user, i, &request, &count); i++) {
      snprintf(key, sizeof key, "0x%" PRIx32, request);
      snprintf(text, sizeof text, "ioctl %s answered ENOTTY", key);
      number(&o, key, text, "%" PRIu64, count);
    }
    close_group(&o);
  }
  if (json) fputs("}\n", stderr);
}
