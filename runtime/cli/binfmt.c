/* `isomer user --binfmt`: registration with the kernel's binfmt_misc, so that it starts guests by itself, and what such a
 * start looks like. (Linux: Documentation/admin-guide/binfmt-misc.rst, fs/binfmt_misc.c.) */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/log.h"
#include "os/host.h"

enum { PRESERVE_ARGV0 = 1 }; /* include/uapi/linux/binfmts.h: AT_FLAGS_PRESERVE_ARGV0 */

/* An ELF header up to e_machine, and which bits of it count: 64-bit, little-endian, any ABI, ET_EXEC or ET_DYN. */
static const uint8_t header[20] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2};
static const uint8_t mask[20] = {255, 255, 255, 255, 255, 255, 255, 0,   255, 255,
                                 255, 255, 255, 255, 255, 255, 254, 255, 255, 255};

static size_t put_hex(char *out, const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) sprintf(out + 4 * i, "\\x%02x", bytes[i]);
  return 4 * n;
}

/* Writes `text` in one go; the kernel's file and a plain one that stands for it are appended to alike. */
static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC), r = 0;
  if (fd < 0) return -errno;
  if (write(fd, text, strlen(text)) < 0) r = -errno;
  close(fd);
  return r;
}

static int remove_one(const char *dir, const struct isa *isa) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/isomer-%s", dir, isa->name);
  return put(path, "-1\n");
}

static int install_one(const char *dir, const struct isa *isa, const char *self) {
  char path[PATH_MAX], line[PATH_MAX + 300];
  uint8_t magic[20];
  memcpy(magic, header, sizeof magic);
  magic[18] = (uint8_t)isa->elf_machine;
  magic[19] = (uint8_t)(isa->elf_machine >> 8);
  size_t at = (size_t)sprintf(line, ":isomer-%s:M:0:", isa->name);
  at += put_hex(line + at, magic, sizeof magic);
  line[at++] = ':';
  at += put_hex(line + at, mask, sizeof mask);
  /* P: the program's own argv[0]; F: the interpreter is opened now, and found in other roots as well. Not C: a set-user-ID
   * program would run with its owner's rights, which nothing here is made for. */
  snprintf(line + at, sizeof line - at, ":%s:PF\n", self);
  remove_one(dir, isa); /* an old registration */
  snprintf(path, sizeof path, "%s/register", dir);
  return put(path, line);
}

int binfmt_change(const char *action, const char *dir, const struct isa *only) {
  char self[PATH_MAX];
  const bool install = !strcmp(action, "install");
  if (!install && strcmp(action, "remove")) {
    log_error("--binfmt: '%s' is neither install nor remove", action);
    return EXIT_USAGE;
  }
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0) {
    log_error("--binfmt: cannot tell where isomer is: %s", strerror(errno));
    return EXIT_HOST;
  }
  self[n] = 0;
  if (strpbrk(self, ":\n")) {
    log_error("--binfmt: %s: the kernel takes no interpreter with ':' in its path", self);
    return EXIT_USAGE;
  }
  for (const struct isa *const *p = isa_list; *p; p++) {
    if ((only && *p != only) || (*p)->elf_machine == OS_ELF_MACHINE) continue;
    int r = install ? install_one(dir, *p, self) : remove_one(dir, *p);
    if (!r || (!install && r == -ENOENT)) continue;
    log_error("--binfmt %s: %s in %s: %s%s", action, (*p)->name, dir, strerror(-r),
              r == -ENOENT                  ? " (mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc)"
              : r == -EACCES || r == -EPERM ? " (as root)"
                                            : "");
    return EXIT_HOST;
  }
  if (only && only->elf_machine == OS_ELF_MACHINE) {
    log_error("--binfmt: %s programs run on this machine without Isomer", only->name);
    return EXIT_USAGE;
  }
  return 0;
}

bool binfmt_started(int argc) { return argc >= 3 && getauxval(AT_FLAGS) & PRESERVE_ARGV0; }
