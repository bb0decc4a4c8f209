/* Operator messages on stderr and error-text helpers. Knows nothing about guests; guest output is devices' business. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;
static log_sink_fn *sink;
static void *sink_opaque;

static void emit(enum log_level level, const char *prefix, const char *fmt, va_list ap) {
  char line[1040];
  if (level < threshold) return;
  int head = snprintf(line, sizeof line, "isomer: %s", prefix);
  int n = vsnprintf(line + head, 1001, fmt, ap);
  size_t len = (size_t)head + (n < 0 ? 0 : n > 1000 ? 1000 : (size_t)n);
  for (size_t i = 0; i < len; i++)
    if (line[i] == '\n' || line[i] == '\r') line[i] = ' ';
  line[len] = 0;
  if (sink) {
    sink(sink_opaque, level, line + strlen("isomer: "));
    return;
  }
  line[len++] = '\n';
  for (size_t done = 0; done < len;) {
    ssize_t w = write(STDERR_FILENO, line + done, len - done);
    if (w <= 0) break; /* nowhere left to complain */
    done += (size_t)w;
  }
}

#define LOG_BODY(level, prefix) \
  va_list ap;                   \
  va_start(ap, fmt);            \
  emit(level, prefix, fmt, ap); \
  va_end(ap)

void log_error(const char *fmt, ...) { LOG_BODY(LOG_ERROR, ""); }
void log_warn(const char *fmt, ...) { LOG_BODY(LOG_WARN, "warning: "); }
void log_info(const char *fmt, ...) { LOG_BODY(LOG_INFO, ""); }

void log_bug(const char *fmt, ...) {
  LOG_BODY(LOG_ERROR, "internal error: ");
  abort();
}

void log_set_level(enum log_level level) { threshold = level; }

void log_set_sink(log_sink_fn *fn, void *opaque) {
  sink = fn;
  sink_opaque = opaque;
}

int err_set(char *why, size_t n, int code, const char *fmt, ...) {
  va_list ap;
  if (!n) return code;
  va_start(ap, fmt);
  vsnprintf(why, n, fmt, ap);
  va_end(ap);
  return code;
}
