/* Opening and judging files for execution, as Linux's fs/exec.c, fs/binfmt_script.c and fs/binfmt_elf.c do. */
#define _GNU_SOURCE
#include "user/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "os/host.h"

enum {
  HEAD = 4096,        /* bytes read to judge a file: more only if the program headers lie behind them */
  HEAD_MAX = 1 << 20, /* where program headers must end */
  SCRIPT_LINE = 255,  /* include/uapi/linux/binfmts.h: BINPRM_BUF_SIZE, without the zero at the end */
  SCRIPT_DEPTH = 5,   /* fs/exec.c: exec_binprm */
};

/* A file that is being judged. */
struct file {
  int fd;
  uint64_t size;
  uint8_t *head;
  size_t have;
};

static void file_close(struct file *f) {
  if (f->fd >= 0) close(f->fd);
  free(f->head);
  *f = (struct file){.fd = -1};
}

static int file_read(struct file *f, uint64_t want) {
  uint8_t *head = realloc(f->head, want);
  if (!head) return -ENOMEM;
  f->head = head;
  while (f->have < want) {
    ssize_t n = pread(f->fd, head + f->have, want - f->have, (off_t)f->have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (!n) break;
    f->have += (size_t)n;
  }
  return 0;
}

/* Opens what the host calls `path` for execution and reads its start. Judged before it is opened for reading: opening a
 * device can do something. */
static int file_open(int dirfd, const char *path, bool nofollow, const char *name, struct file *f, char *why,
                     size_t nwhy) {
  char self[40];
  struct stat st;
  int place = *path ? openat(dirfd, path, O_PATH | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0))
                    : fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
  int r = 0;
  *f = (struct file){.fd = -1};
  if (place < 0 || fstat(place, &st))
    r = err_set(why, nwhy, -errno, "%s: cannot open: %s", name, strerror(errno));
  else if (S_ISLNK(st.st_mode)) r = err_set(why, nwhy, -ELOOP, "%s: a symbolic link", name);
  else if (!S_ISREG(st.st_mode))
    r = err_set(why, nwhy, -EACCES, "%s: %s, not a program", name,
                S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
  else if (faccessat(place, "", X_OK, AT_EACCESS | AT_EMPTY_PATH))
    r = err_set(why, nwhy, -errno, "%s: not executable: %s (chmod +x allows it)", name, strerror(errno));
  if (!r) {
    snprintf(self, sizeof self, "/proc/self/fd/%d", place);
    f->fd = open(self, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0) r = err_set(why, nwhy, -errno, "%s: cannot open: %s", name, strerror(errno));
    else if ((r = file_read(f, HEAD))) err_set(why, nwhy, r, "%s: cannot read: %s", name, strerror(-r));
    f->size = (uint64_t)st.st_size;
  }
  if (place >= 0) close(place);
  if (r) file_close(f);
  return r;
}

static int find_and_open(const struct program_request *q, int dirfd, const char *path, bool nofollow,
                         const char *name, struct file *f, char *why, size_t nwhy) {
  char host[PATH_MAX];
  int dir, r = sysroot_find(q->root, dirfd, path, nofollow ? SYSROOT_NOFOLLOW : 0, &dir, host);
  if (r) return err_set(why, nwhy, r, "%s: %s", name, strerror(-r));
  return file_open(dir, host, nofollow, name, f, why, nwhy);
}

static bool is_elf(const struct file *f) {
  return f->have >= 4 && !memcmp(f->head,
                                 "\x7f"
                                 "ELF",
                                 4);
}

/* All that Linux calls ENOEXEC, in words. */
static int judge_elf(struct file *f, struct elf *e, const char *name, char *why, size_t nwhy) {
  char text[256];
  uint64_t need = elf_need(f->head, f->have);
  if (need > f->have && need <= f->size) {
    if (need > HEAD_MAX)
      return err_set(why, nwhy, -ENOEXEC, "%s: damaged: its program headers end behind the first MiB", name);
    int r = file_read(f, need);
    if (r) return err_set(why, nwhy, r, "%s: cannot read: %s", name, strerror(-r));
  }
  if (elf_parse_program(f->head, f->have, f->size, e, text, sizeof text))
    return err_set(why, nwhy, -ENOEXEC, "%s: %s", name, text);
  return 0;
}

/* ---- scripts ---- */

/* Splits "#! interpreter [one argument]". False: no such line (ENOEXEC). Linux: fs/binfmt_script.c. */
static bool script_line(const struct file *f, char line[SCRIPT_LINE + 1], char **interp, char **arg) {
  size_t n = f->have < SCRIPT_LINE ? f->have : SCRIPT_LINE;
  memcpy(line, f->head, n);
  line[n] = 0;
  char *end = memchr(line, '\n', n), *p = line + 2;
  bool cut = !end && n == SCRIPT_LINE;
  if (!end) end = line + strlen(line);
  *end = 0;
  p += strspn(p, " \t");
  *interp = p;
  p += strcspn(p, " \t");
  if (*interp == p || (cut && !*p)) return false; /* no name, or one that may go on */
  if (*p) *p++ = 0;
  p += strspn(p, " \t");
  *arg = *p ? p : NULL;
  for (end = p + strlen(p); end > p && (end[-1] == ' ' || end[-1] == '\t');) *--end = 0;
  if (*arg && !**arg) *arg = NULL;
  return true;
}

/* argv[0] gives way to the interpreter, its argument and the script's name. */
static int script_arguments(struct program *p, const char *interp, const char *arg, const char *script) {
  int extra = arg ? 2 : 1, n = p->argc + extra;
  char **argv = calloc((size_t)n + 1, sizeof *argv);
  if (!argv) return -ENOMEM;
  char *own[3] = {strdup(interp), arg ? strdup(arg) : strdup(script), arg ? strdup(script) : NULL};
  memcpy(argv, own, (size_t)(extra + 1) * sizeof *argv);
  memcpy(argv + extra + 1, p->argv + 1, (size_t)(p->argc - 1) * sizeof *argv);
  free(p->argv[0]);
  free(p->argv);
  p->argv = argv;
  p->argc = n;
  return own[0] && own[1] && (!arg || own[2]) ? 0 : -ENOMEM;
}

static int copy_arguments(struct program *p, int argc, char *const *argv) {
  static char empty[1];
  static char *const none[] = {empty};
  if (!argc) argv = none;
  p->argc = argc ? argc : 1;
  p->argv = calloc((size_t)p->argc + 1, sizeof *p->argv);
  for (int i = 0; p->argv && i < p->argc; i++)
    if (!(p->argv[i] = strdup(argv[i]))) return -ENOMEM;
  return p->argv ? 0 : -ENOMEM;
}

/* ---- programs ---- */

static const struct isa *isa_of(uint16_t machine) {
  for (const struct isa *const *p = isa_list; *p; p++)
    if ((*p)->elf_machine == machine) return *p;
  return NULL;
}

static int open_interp(const struct program_request *q, struct program *p, char *why, size_t nwhy) {
  char name[PATH_MAX], label[2 * PATH_MAX + 40], machine[32];
  struct file f;
  uint64_t n = p->elf.interp_len;
  if (!n) return 0;
  if (n > sizeof name || pread(p->fd, name, n, (off_t)p->elf.interp_off) != (ssize_t)n || name[n - 1])
    return err_set(why, nwhy, -ENOEXEC, "%s: damaged: the name of its dynamic linker does not end", p->path);
  snprintf(label, sizeof label, "%s: its dynamic linker %s", p->path, name);
  int r = find_and_open(q, AT_FDCWD, name, false, label, &f, why, nwhy);
  if (r == -ENOENT)
    return err_set(why, nwhy, r, "%s: no such file; -L DIR names a directory with the libraries of %s", label,
                   p->isa->name);
  if (r) return r;
  if (!is_elf(&f)) r = err_set(why, nwhy, -ELIBBAD, "%s: not an ELF file", label);
  else r = judge_elf(&f, &p->interp, label, why, nwhy);
  if (!r && p->interp.machine != p->elf.machine)
    r = err_set(why, nwhy, -ELIBBAD, "%s: is for %s", label,
                elf_machine_name(p->interp.machine, machine, sizeof machine));
  if (!r) r = sysroot_name(NULL, f.fd, p->interp_host);
  if (!r) {
    p->interp_fd = f.fd;
    f.fd = -1;
  } else if (r == -ENOEXEC) r = -ELIBBAD;
  file_close(&f);
  return r;
}

/* Decides whose program the ELF file is and takes it over. */
static int take_elf(const struct program_request *q, struct file *f, struct program *p, char *why,
                    size_t nwhy) {
  char machine[32];
  int r = judge_elf(f, &p->elf, p->path, why, nwhy);
  if (r) return r;
  p->isa = isa_of(p->elf.machine);
  if (q->self && p->isa != q->self && p->elf.machine == OS_ELF_MACHINE) p->isa = NULL;
  else if (!p->isa)
    return err_set(why, nwhy, -ENOEXEC, "%s: a program for %s, which is not built in (isomer isa list)",
                   p->path, elf_machine_name(p->elf.machine, machine, sizeof machine));
  else if (q->want && p->isa != q->want)
    return err_set(why, nwhy, -ENOEXEC, "%s: is for %s, not for %s", p->path, p->isa->name, q->want->name);
  r = sysroot_name(NULL, f->fd, p->host);
  p->exe = sysroot_shown(q->root, p->host);
  if (r) return err_set(why, nwhy, r, "%s: /proc is needed: %s", p->path, strerror(-r));
  p->fd = f->fd;
  f->fd = -1;
  return p->isa ? open_interp(q, p, why, nwhy) : 0;
}

/* Opens the first of that name in $PATH; the path it was found under goes to p->path. */
static int search(const struct program_request *q, struct program *p, struct file *f, char *why,
                  size_t nwhy) {
  const char *list = getenv("PATH"), *at = list ? list : "/bin:/usr/bin";
  int denied = 0;
  for (;; at++) {
    size_t n = strcspn(at, ":");
    int len = snprintf(p->path, sizeof p->path, "%.*s%s%s", (int)n, at, n ? "/" : "./", q->path);
    if (len < (int)sizeof p->path) {
      int r = find_and_open(q, AT_FDCWD, p->path, false, p->path, f, why, nwhy);
      if (r == -EACCES) denied = r;
      else if (r != -ENOENT && r != -ENOTDIR) return r;
    }
    at += n;
    if (!*at) break;
  }
  if (denied) return err_set(why, nwhy, denied, "%s: found in $PATH, but not executable", q->path);
  return err_set(why, nwhy, -ENOENT, "%s: not found in $PATH (a file of this directory is ./%s)", q->path,
                 q->path);
}

/* What execveat(2) calls a file: by its path, or as /dev/fd says when that is relative to a descriptor. */
static int call_it(const struct program_request *q, char out[PATH_MAX]) {
  const char *shown = q->shown ? q->shown : q->path;
  int n;
  if (q->shown || *q->path == '/' || q->dirfd == AT_FDCWD) n = snprintf(out, PATH_MAX, "%s", shown);
  else n = snprintf(out, PATH_MAX, "/dev/fd/%d%s%s", q->dirfd, *q->path ? "/" : "", q->path);
  return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_first(const struct program_request *q, struct program *p, struct file *f, char *why,
                      size_t nwhy) {
  if (q->search && *q->path && !strchr(q->path, '/')) return search(q, p, f, why, nwhy);
  if (call_it(q, p->path)) return err_set(why, nwhy, -ENAMETOOLONG, "%.100s...: name too long", p->path);
  return find_and_open(q, q->dirfd, q->path, q->nofollow, p->path, f, why, nwhy);
}

/* An interpreter opens its script by name, which leads nowhere when the descriptor is closed then. */
static bool out_of_reach(const struct program_request *q) {
  return *q->path != '/' && q->dirfd != AT_FDCWD && fcntl(q->dirfd, F_GETFD) & FD_CLOEXEC;
}

int program_open(const struct program_request *q, struct program *p, char *why, size_t nwhy) {
  struct file f = {.fd = -1};
  p->isa = NULL;
  p->elf.interp_len = 0;
  p->interp_host[0] = p->script_host[0] = p->path[0] = p->execfn[0] = p->host[0] = 0;
  p->argc = 0;
  p->argv = NULL;
  p->fd = p->interp_fd = -1;
  int r = copy_arguments(p, q->argc, q->argv);
  if (r) err_set(why, nwhy, r, "%s: out of memory", q->path);
  else r = open_first(q, p, &f, why, nwhy);
  if (!r) strcpy(p->execfn, p->path);
  for (unsigned depth = 0; !r; depth++) {
    char line[SCRIPT_LINE + 1], *interp, *arg;
    if (depth > SCRIPT_DEPTH) {
      r = err_set(why, nwhy, -ELOOP, "%s: scripts are nested more than %d deep", p->path, SCRIPT_DEPTH);
      break;
    }
    if (is_elf(&f)) {
      r = take_elf(q, &f, p, why, nwhy);
      break;
    }
    if (f.have < 2 || memcmp(f.head, "#!", 2) || !script_line(&f, line, &interp, &arg)) {
      r = err_set(why, nwhy, -ENOEXEC, "%s: neither an ELF program nor a script that names an interpreter%s",
                  p->path, f.have ? "" : " (the file is empty)");
      break;
    }
    if (!depth && out_of_reach(q)) {
      r = err_set(why, nwhy, -ENOENT, "%s: a script behind a descriptor that is closed on execution",
                  p->path);
      break;
    }
    if ((r = script_arguments(p, interp, arg, p->path))) {
      err_set(why, nwhy, r, "%s: out of memory", p->path);
      break;
    }
    if (sysroot_name(NULL, f.fd, p->script_host))
      p->script_host[0] = 0; /* only what may be read depends on it */
    char label[2 * PATH_MAX];
    snprintf(label, sizeof label, "%s: its interpreter %s", p->path, interp);
    file_close(&f);
    r = find_and_open(q, AT_FDCWD, interp, false, label, &f, why, nwhy);
    strcpy(p->path, interp);
  }
  file_close(&f);
  if (r) program_close(p);
  return r;
}

void program_close_files(struct program *p) {
  if (p->fd >= 0) close(p->fd);
  if (p->interp_fd >= 0) close(p->interp_fd);
  p->fd = p->interp_fd = -1;
}

void program_close(struct program *p) {
  program_close_files(p);
  for (int i = 0; p->argv && i < p->argc; i++) free(p->argv[i]);
  free(p->argv);
  p->argv = NULL;
}
