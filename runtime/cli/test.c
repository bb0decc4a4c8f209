/* `isomer test`: runs scenarios, each in a process of its own, and counts. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/log.h"
#include "script/script.h"

#define ALL_SKIPPED 77
#define MAX_JOBS    64

struct test {
  const char *filter, *junit;
  struct strings set;
  struct engine_config engine;
  unsigned jobs;
  uint64_t seed;
  bool allow;
};

/* One scenario: its process, and what it wrote. */
struct job {
  const char *path;
  pid_t pid;
  FILE *out;
  uint64_t started, took;
  enum script_result result;
  char *text; /* of out, once it ended */
};

static void defaults(void *config) {
  struct test *o = config;
  o->jobs = 1;
  o->engine.accel = "auto";
  o->seed = 1;
}

/* One word of a command for a shell. */
static void quoted(FILE *f, const char *s) {
  if (*s &&
      strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+-") == strlen(s)) {
    fputs(s, f);
    return;
  }
  fputc('\'', f);
  for (; *s; s++) fputs(*s == '\'' ? "'\\''" : (char[2]){*s, 0}, f);
  fputc('\'', f);
}

static char *replay(const struct test *o, const char *path) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  if (!f) return NULL;
  fprintf(f, "isomer test ");
  quoted(f, path);
  fprintf(f, " --seed %" PRIu64 "%s", o->seed, o->allow ? " --allow" : "");
  if (strcmp(o->engine.accel, "auto")) {
    fprintf(f, " --accel ");
    quoted(f, o->engine.accel);
  }
  if (o->engine.check) fprintf(f, " --check");
  for (unsigned i = 0; i < o->engine.jit.n; i++) {
    fprintf(f, " --jit ");
    quoted(f, o->engine.jit.at[i]);
  }
  for (unsigned i = 0; i < o->set.n; i++) {
    fprintf(f, " --set ");
    quoted(f, o->set.at[i]);
  }
  fclose(f);
  return text;
}

static int start(const struct test *o, struct job *j) {
  j->out = tmpfile();
  j->started = clock_ns();
  if (!j->out) return -errno;
  fflush(stdout);
  j->pid = fork();
  if (j->pid < 0) return -errno;
  if (j->pid) return 0;
  if (dup2(fileno(j->out), STDOUT_FILENO) < 0 || dup2(fileno(j->out), STDERR_FILENO) < 0) _exit(EXIT_HOST);
  const struct script_options so = {.accel = o->engine.accel,
                                    .seed = o->seed,
                                    .allow = o->allow,
                                    .param = o->set.at,
                                    .nparams = o->set.n,
                                    .replay = replay(o, j->path)};
  enum script_result r = script_run(j->path, &so);
  fflush(NULL);
  _exit(r == SCRIPT_PASSED ? 0 : r == SCRIPT_SKIPPED ? ALL_SKIPPED : 1);
}

static void collect(struct job *j, int status) {
  j->took = clock_ns() - j->started;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  j->result = code == 0 ? SCRIPT_PASSED : code == ALL_SKIPPED ? SCRIPT_SKIPPED : SCRIPT_FAILED;
  long size = ftell(j->out);
  fseek(j->out, 0, SEEK_END);
  size = ftell(j->out);
  rewind(j->out);
  j->text = calloc(1, (size_t)(size < 0 ? 0 : size) + 100);
  if (j->text) {
    size_t n = fread(j->text, 1, (size_t)(size < 0 ? 0 : size), j->out);
    if (WIFSIGNALED(status)) snprintf(j->text + n, 100, "FAILED: ended by signal %d\n", WTERMSIG(status));
  }
  fclose(j->out);
  static const char *const word[] = {"ok", "FAILED", "skipped"};
  printf("%-7s %s (%.2f s)\n", word[j->result], j->path, (double)j->took / 1e9);
  if (j->text && j->result != SCRIPT_PASSED) fputs(j->text, stdout);
  fflush(stdout);
}

static void xml(FILE *f, const char *s) {
  for (; s && *s; s++) {
    unsigned char b = (unsigned char)*s;
    if (b == '<') fputs("&lt;", f);
    else if (b == '>') fputs("&gt;", f);
    else if (b == '&') fputs("&amp;", f);
    else if (b == '"') fputs("&quot;", f);
    else if (b >= 127 || (b < 32 && b != '\n' && b != '\t')) fputc('?', f);
    else fputc(b, f);
  }
}

static int write_junit(const char *path, const struct job *jobs, unsigned n, const unsigned *count) {
  FILE *f = fopen(path, "w");
  if (!f) {
    log_error("%s: %s", path, strerror(errno));
    return EXIT_HOST;
  }
  fprintf(f,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"isomer\" tests=\"%u\" "
          "failures=\"%u\" skipped=\"%u\">\n",
          n, count[SCRIPT_FAILED], count[SCRIPT_SKIPPED]);
  for (unsigned i = 0; i < n; i++) {
    fprintf(f, "  <testcase name=\"");
    xml(f, jobs[i].path);
    fprintf(f, "\" time=\"%.3f\"", (double)jobs[i].took / 1e9);
    if (jobs[i].result == SCRIPT_PASSED) {
      fprintf(f, "/>\n");
      continue;
    }
    const char *tag = jobs[i].result == SCRIPT_FAILED ? "failure" : "skipped";
    fprintf(f, ">\n    <%s message=\"", tag);
    char *line = strndup(jobs[i].text ? jobs[i].text : "", strcspn(jobs[i].text ? jobs[i].text : "", "\n"));
    xml(f, line);
    free(line);
    fprintf(f, "\">");
    xml(f, jobs[i].text);
    fprintf(f, "</%s>\n  </testcase>\n", tag);
  }
  fprintf(f, "</testsuite>\n");
  if (!fclose(f)) return 0;
  log_error("%s: %s", path, strerror(errno));
  return EXIT_HOST;
}

static int test_main(void *config, int argc, char **argv) {
  const struct test *o = config;
  unsigned n = 0, started = 0, running = 0, count[3] = {0};
  if (!o->jobs || o->jobs > MAX_JOBS) {
    log_error("--jobs: 1 to %d", MAX_JOBS);
    return EXIT_USAGE;
  }
  if (cli_engine(&o->engine, NULL, NULL, NULL)) return EXIT_USAGE;
  struct job *jobs = calloc((size_t)argc + 1, sizeof *jobs);
  if (!jobs) {
    log_error("out of memory");
    return EXIT_HOST;
  }
  for (int i = 0; i < argc; i++) {
    if (o->filter && !strstr(argv[i], o->filter)) continue;
    if (access(argv[i], R_OK)) {
      log_error("%s: %s", argv[i], strerror(errno));
      free(jobs);
      return EXIT_USAGE;
    }
    jobs[n++].path = argv[i];
  }
  while (started < n || running) {
    if (started < n && running < o->jobs) {
      int rc = start(o, &jobs[started]);
      if (rc) {
        log_error("%s: cannot be started: %s", jobs[started].path, strerror(-rc));
        return EXIT_HOST;
      }
      started++;
      running++;
      continue;
    }
    int status;
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < started; i++) {
      if (jobs[i].pid != pid) continue;
      collect(&jobs[i], status);
      count[jobs[i].result]++;
      running--;
    }
  }
  printf("%u passed, %u failed, %u skipped (seed %" PRIu64 ")\n", count[SCRIPT_PASSED], count[SCRIPT_FAILED],
         count[SCRIPT_SKIPPED], o->seed);
  int code = count[SCRIPT_FAILED] ? 1 : n && !count[SCRIPT_PASSED] ? ALL_SKIPPED : 0;
  if (!n) {
    log_error("no scenario to run%s", o->filter ? ": --filter matches none" : "");
    code = EXIT_USAGE;
  }
  if (o->junit && write_junit(o->junit, jobs, n, count)) code = EXIT_HOST;
  for (unsigned i = 0; i < n; i++) free(jobs[i].text);
  free(jobs);
  return code;
}

#define AT(f) offsetof(struct test, f)
static const struct option options[] = {
    {"filter", "TEXT", OPT_STR, AT(filter), "only files whose path contains it"},
    {"jobs j", "N", OPT_UINT, AT(jobs), "so many at a time (1)"},
    {"junit", "FILE", OPT_STR, AT(junit), "results as JUnit XML"},
    ENGINE_OPTIONS(struct test),
    {"seed", "N", OPT_U64, AT(seed), "of everything random (1)"},
    {"set", "NAME=VALUE", OPT_LIST, AT(set), "isomer.params.NAME"},
    {"allow", NULL, OPT_FLAG, AT(allow), "scripts may use os, io, require, load and debug"},
    {0},
};

const struct command cmd_test = {
    .name = "test",
    .usage = "FILE... [OPTIONS]",
    .summary = "runs scenarios",
    .about = "Each file is a Lua script (docs/scenarios.md). Everything is deterministic: the same seed "
             "gives the same run.\n"
             "Exit code: 0 all passed, 1 some failed, 77 all skipped.\n",
    .options = options,
    .config_size = sizeof(struct test),
    .min_args = 1,
    .max_args = 1 << 20,
    .defaults = defaults,
    .main = test_main,
};
