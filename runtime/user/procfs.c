/* Contents of /proc/self as the guest is to see it: read from the guest's memory and its table of mappings, or from the
 * host's file with what is Isomer's replaced. */
#define _GNU_SOURCE
#include "user/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mem/space.h"
#include "user/process.h"

enum { STAT_FIELDS = 52, HOST_FILE = 1 << 16 };

/* ---- contents ---- */

static int put_memory(FILE *f, struct user_thread *t, gva_t from, gva_t to) {
  char part[4096];
  for (; from < to; from += sizeof part) {
    size_t n = to - from < sizeof part ? to - from : sizeof part;
    if (space_read(t->process->space, from, part, n))
      break; /* the program unmapped it: Linux ends there, too */
    fwrite(part, 1, n, f);
  }
  return 0;
}

static int put_cmdline(FILE *f, struct user_thread *t) {
  return put_memory(f, t, t->process->image.arg_start, t->process->image.arg_end);
}
static int put_environ(FILE *f, struct user_thread *t) {
  return put_memory(f, t, t->process->image.env_start, t->process->image.env_end);
}
static int put_auxv(FILE *f, struct user_thread *t) {
  const struct user_image *i = &t->process->image;
  return put_memory(f, t, i->auxv, i->auxv + i->auxv_size);
}

/* One line of maps, without its newline. */
static void put_mapping(FILE *f, struct user_thread *t, const struct space_info *m) {
  const char *name = sysroot_shown(&t->process->root, m->name);
  const gva_t brk = t->process->brk_start;
  if (!*name && m->start <= brk && brk <= m->last && t->process->brk > brk) name = "[heap]";
  int n = fprintf(f, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64 " ", m->start,
                  m->last + 1, m->prot & SPACE_R ? 'r' : '-', m->prot & SPACE_W ? 'w' : '-',
                  m->prot & SPACE_X ? 'x' : '-', m->shared ? 's' : 'p', m->off, major(m->dev), minor(m->dev),
                  m->ino);
  if (*name) fprintf(f, "%*s%s", n < 73 ? 73 - n : 0, "", name);
}

static int put_maps(FILE *f, struct user_thread *t) {
  struct space_info m;
  for (gva_t at = 0; space_next(t->process->space, at, &m); at = m.last + 1) {
    put_mapping(f, t, &m);
    fputc('\n', f);
  }
  return 0;
}

/* The host's figures of the guest's addresses; a mapping of ours may be several of the host's (protected code pages). */
static int put_smaps(FILE *f, struct user_thread *t) {
  char *line = NULL;
  size_t room = 0;
  bool show = false;
  FILE *host = fopen("/proc/self/smaps", "re");
  if (!host) return -errno;
  while (getline(&line, &room, host) > 0) {
    uint64_t start, end;
    struct space_info m;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
      show = space_holds(t->process->space, start, end - start) && space_next(t->process->space, start, &m) &&
             m.start <= start;
      if (!show) continue;
      m.off += m.ino ? start - m.start : 0;
      m.start = start;
      m.last = end - 1;
      put_mapping(f, t, &m);
      fputc('\n', f);
    } else if (show) fputs(line, f);
  }
  free(line);
  fclose(host);
  return 0;
}

/* proc(5), /proc/pid/stat: fields 26 to 28 and 45 to 51 are places in the program. */
static int put_stat(FILE *f, struct user_thread *t) {
  const struct user_process *p = t->process;
  const struct user_image *i = &p->image;
  const struct {
    unsigned field;
    uint64_t value;
  } own[] = {{26, i->code_start}, {27, i->code_end},  {28, i->sp},        {45, i->data_start},
             {46, i->data_end},   {47, p->brk_start}, {48, i->arg_start}, {49, i->arg_end},
             {50, i->env_start},  {51, i->env_end}};
  char text[2048];
  int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return -EIO;
  text[n] = 0;
  char *at = strrchr(text, ')'); /* the name may hold anything */
  if (!at) return -EIO;
  fprintf(f, "%.*s)", (int)(at - text), text);
  unsigned field = 3, k = 0;
  for (char *save, *word = strtok_r(at + 1, " \n", &save); word;
       word = strtok_r(NULL, " \n", &save), field++) {
    while (k < ARRAY_SIZE(own) && own[k].field < field) k++;
    if (k < ARRAY_SIZE(own) && own[k].field == field) fprintf(f, " %" PRIu64, own[k].value);
    else fprintf(f, " %s", word);
  }
  fputc('\n', f);
  return 0;
}

static int put_cpuinfo(FILE *f, struct user_thread *t) {
  char text[4096];
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  const struct arch_ops *arch = t->vcpu->c->isa->arch;
  for (long i = 0; arch->user_cpuinfo && i < n; i++) {
    arch->user_cpuinfo(t->vcpu, (unsigned)i, text, sizeof text);
    fputs(text, f);
  }
  return 0;
}

static const struct {
  const char *name;
  int (*put)(FILE *f, struct user_thread *t);
} texts[] = {{"cmdline", put_cmdline}, {"environ", put_environ}, {"auxv", put_auxv},      {"maps", put_maps},
             {"smaps", put_smaps},     {"stat", put_stat},       {"cpuinfo", put_cpuinfo}};

int procfs_open(struct user_thread *t, const char *name) {
  char *text = NULL;
  size_t size = 0, i = 0;
  int fd = -1, r = -ENOENT;
  while (i < ARRAY_SIZE(texts) && strcmp(texts[i].name, name)) i++;
  if (i == ARRAY_SIZE(texts)) return r;
  FILE *f = open_memstream(&text, &size);
  if (!f) return -ENOMEM;
  r = texts[i].put(f, t);
  if (fclose(f) && !r) r = -ENOMEM;
  if (r) goto out;
  fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) r = -errno;
  else if (write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) || fchmod(fd, 0444)) r = -EIO;
  if (r && fd >= 0) close(fd);
out:
  free(text);
  return r ? r : fd;
}

/* ---- names ---- */

/* Takes "NUMBER/" off: false if something else is there. */
static bool take_number(const char **p, long *out) {
  char *end;
  if (**p < '1' || **p > '9') return false;
  *out = strtol(*p, &end, 10);
  if (*end && *end != '/') return false;
  *p = end + (*end == '/');
  return true;
}

static bool take_word(const char **p, const char *word) {
  size_t n = strlen(word);
  if (strncmp(*p, word, n) || ((*p)[n] && (*p)[n] != '/')) return false;
  *p += n + ((*p)[n] == '/');
  return true;
}

/* `p` follows "/proc/" in a path without links and doubled slashes. */
static enum procfs_kind find_below(const char *p, char name[16]) {
  long n;
  if (!strcmp(p, "cpuinfo")) {
    strcpy(name, p);
    return PROCFS_TEXT;
  }
  if (take_word(&p, "self") || take_word(&p, "thread-self")) {
  } else if (!take_number(&p, &n) || n != getpid()) return PROCFS_NONE;
  if (take_word(&p, "task") && !take_number(&p, &n)) return PROCFS_NONE;
  if (!strcmp(p, "exe")) return PROCFS_EXE;
  if (!strcmp(p, "cwd") || !strcmp(p, "root")) return PROCFS_LINK;
  if (take_word(&p, "fd")) return take_number(&p, &n) || !strcmp(p, "0") ? PROCFS_LINK : PROCFS_NONE;
  for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
    if (!strcmp(p, texts[i].name) && strcmp(p, "cpuinfo")) {
      strcpy(name, p);
      return PROCFS_TEXT;
    }
  return PROCFS_NONE;
}

/* Cheap: is the last component one that we know? Most paths end here. */
static bool known_name(const char *path) {
  const char *last = strrchr(path, '/');
  last = last ? last + 1 : path;
  if (*last && !last[strspn(last, "0123456789")]) return true; /* fd/N */
  if (!strcmp(last, "exe") || !strcmp(last, "cwd") || !strcmp(last, "root")) return true;
  for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
    if (!strcmp(last, texts[i].name)) return true;
  return false;
}

enum procfs_kind procfs_find(const struct user_thread *t, int dirfd, const char *path, char name[16]) {
  char full[2 * PATH_MAX], base[PATH_MAX], flat[2 * PATH_MAX];
  (void)t;
  if (!known_name(path)) return PROCFS_NONE;
  if (*path == '/') snprintf(full, sizeof full, "%s", path);
  else {
    if (sysroot_name(NULL, dirfd, base) || strncmp(base, "/proc", 5)) return PROCFS_NONE;
    snprintf(full, sizeof full, "%s/%s", base, path);
  }
  if (strstr(full, "/../")) return PROCFS_NONE; /* nobody spells these files so */
  size_t n = 0;
  for (const char *p = full; *p; p++) { /* "//" and "/./" mean "/" */
    while (p[0] == '/' && (p[1] == '/' || (p[1] == '.' && p[2] == '/'))) p += p[1] == '/' ? 1 : 2;
    flat[n++] = *p;
  }
  flat[n] = 0;
  return strncmp(flat, "/proc/", 6) ? PROCFS_NONE : find_below(flat + 6, name);
}

bool procfs_is_fds(int fd) {
  char path[PATH_MAX];
  const char *p = path + 6;
  long n;
  if (sysroot_name(NULL, fd, path) || strncmp(path, "/proc/", 6) || !take_number(&p, &n) || n != getpid())
    return false;
  if (take_word(&p, "task") && !take_number(&p, &n)) return false;
  return !strcmp(p, "fd") || !strcmp(p, "fdinfo");
}

void procfs_set_name(const char *path) {
  const char *last = strrchr(path, '/');
  prctl(PR_SET_NAME, last ? last + 1 : path);
}
