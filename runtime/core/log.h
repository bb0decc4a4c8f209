/* One-line messages to the operator on stderr: `isomer: what: where: remedy`. Never on stdout, which is the guest's. */
#ifndef ISOMER_CORE_LOG_H
#define ISOMER_CORE_LOG_H

#include <stddef.h>

enum log_level { LOG_INFO, LOG_WARN, LOG_ERROR };

/* Each call writes one line (newlines in the text become spaces; long text is cut at 1,000 bytes) in one write, so lines
 * of several threads do not mix. `fmt` needs no newline and no "isomer: ". */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Our own bug: logs "internal error: ..." and aborts. Never reachable from guest data. */
void log_bug(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn, cold));

/* Messages below `level` are dropped (default LOG_INFO: all are shown). */
void log_set_level(enum log_level level);

/* Redirects messages (without "isomer: " and newline) to `fn`; NULL restores stderr. For tests and front ends. */
typedef void log_sink_fn(void *opaque, enum log_level level, const char *text);
void log_set_sink(log_sink_fn *fn, void *opaque);

/* Formats a reason into why[n] (n may be 0) and returns `code`, so that parsers can `return err_set(why, n, -EINVAL, ...)`. */
int err_set(char *why, size_t n, int code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
