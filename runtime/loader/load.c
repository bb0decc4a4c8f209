/* Reading files and telling formats apart, with an error that names what an unsuitable file is. */
#include "loader/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/isa.h"
#include "core/log.h"
#include "os/prefault.h"

int load_file(const char *path, struct load_file *out, char *why, size_t nwhy) {
  struct stat st;
  int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  *out = (struct load_file){0};
  if (fd >= 0 && fd < 3) { /* a standard stream was closed: 0 means none here */
    int low = fd;
    fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
    close(low);
  }
  if (fd < 0 || fstat(fd, &st)) {
    rc = err_set(why, nwhy, -errno, "%s: cannot open: %s", path, strerror(errno));
    goto out;
  }
  if (!S_ISREG(st.st_mode)) {
    rc = err_set(why, nwhy, -EINVAL, "%s: %s, not a regular file", path,
                 S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
    goto out;
  }
  size_t size = (size_t)st.st_size, got = 0;
  uint8_t *bytes = malloc(size ? size : 1);
  if (!bytes) {
    rc = err_set(why, nwhy, -ENOMEM, "%s: out of memory for its %zu bytes", path, size);
    goto out;
  }
  os_prefault(bytes, size);
  while (got < size) {
    ssize_t r = read(fd, bytes + got, size - got);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) {
      rc = r < 0 ? -errno : -EIO;
      err_set(why, nwhy, rc, "%s: cannot read: %s", path, r < 0 ? strerror(-rc) : "the file shrank");
      free(bytes);
      goto out;
    }
    got += (size_t)r;
  }
  *out = (struct load_file){bytes, size, fd};
  return 0;
out:
  if (fd >= 0) close(fd);
  return rc;
}

void load_file_free(struct load_file *f) {
  free(f->bytes);
  if (f->fd) close(f->fd);
  *f = (struct load_file){0};
}

/* Files that people hand to --kernel by mistake. */
static const struct foreign {
  unsigned off, n;
  const char *magic, *what;
} foreigns[] = {
    {4, 4, "zimg", "a compressed EFI kernel (vmlinuz.efi); unpack it to an Image"},
    {0x202, 4, "HdrS", "an x86 bzImage; there is no board that boots one"},
    {0, 2, "\x1f\x8b", "gzip-compressed; unpack it with gunzip"},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "xz-compressed; unpack it with unxz"},
    {0, 4, "\x28\xb5\x2f\xfd", "zstd-compressed; unpack it with unzstd"},
    {0, 3, "BZh", "bzip2-compressed; unpack it with bunzip2"},
    {0, 4, "\x02\x21\x4c\x18", "lz4-compressed; unpack it with unlz4"},
    {0, 4, "\x27\x05\x19\x56", "a U-Boot image (uImage)"},
    {0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image"},
    {0, 6, "070701", "a cpio archive; give it with --initrd"},
    {0, 4, "QFI\xfb", "a qcow2 disk image"},
    {0, 8, "!<arch>\n", "a Debian package or static library"},
    {257, 5, "ustar", "a tar archive"},
    {0, 2, "#!", "a script"},
    {0, 2, "MZ", "an EFI or Windows program, not a Linux Image for a known ISA"},
};

static const struct isa *isa_by_machine(uint16_t machine) {
  for (const struct isa *const *p = isa_list; *p; p++)
    if ((*p)->elf_machine == machine) return *p;
  return NULL;
}

int load_identify(const uint8_t *bytes, size_t n, struct load_info *out, char *why, size_t nwhy) {
  int rc;
  memset(out, 0, sizeof *out);
  if (!n) return err_set(why, nwhy, -EINVAL, "the file is empty");
  if (n >= 4 && !memcmp(bytes,
                        "\x7f"
                        "ELF",
                        4)) {
    char name[32];
    if ((rc = elf_parse(bytes, n, &out->elf, why, nwhy))) return rc;
    out->kind = LOAD_ELF;
    out->isa = isa_by_machine(out->elf.machine);
    if (!out->isa)
      return err_set(why, nwhy, -ENOENT,
                     "an ELF program for %s, which is not among the ISAs of `isomer isa list`",
                     elf_machine_name(out->elf.machine, name, sizeof name));
    return 0;
  }
  if (image_is(bytes, n)) {
    if ((rc = image_parse(bytes, n, &out->image, why, nwhy))) return rc;
    out->kind = LOAD_IMAGE;
    out->isa = isa_find(out->image.isa);
    if (!out->isa)
      return err_set(why, nwhy, -ENOENT,
                     "a Linux Image for %s, which is not among the ISAs of `isomer isa list`",
                     out->image.isa);
    return 0;
  }
  if (n >= 2 && n < 64 && !memcmp(bytes, "MZ", 2))
    return err_set(why, nwhy, -EINVAL, "truncated: %zu bytes cannot be a kernel", n);
  for (size_t i = 0; i < ARRAY_SIZE(foreigns); i++) {
    const struct foreign *f = &foreigns[i];
    if (n >= f->off + f->n && !memcmp(bytes + f->off, f->magic, f->n))
      return err_set(why, nwhy, -EINVAL, "neither a Linux Image nor an ELF program: it is %s", f->what);
  }
  out->kind = LOAD_RAW;
  return 0;
}

/* Reads and identifies; the line in `why` names the file. */
static int open_file(const char *path, struct load_file *f, struct load_info *out, char *why, size_t nwhy) {
  char text[256];
  int rc = load_file(path, f, why, nwhy);
  if (rc) return rc;
  rc = load_identify(f->bytes, f->size, out, text, sizeof text);
  if (rc) {
    err_set(why, nwhy, rc, "%s: %s", path, text);
    load_file_free(f);
  }
  return rc;
}

int load_open(const char *path, const struct isa *want, bool raw, struct load_file *f,
              struct load_info *out) {
  char why[512];
  int rc = open_file(path, f, out, why, sizeof why);
  if (rc) {
    log_error("%s", why);
    return rc;
  }
  if (out->kind == LOAD_RAW && !raw)
    log_error("%s: neither a Linux Image nor an ELF program%s", path, f->size < 64 ? " (truncated?)" : "");
  else if (want && out->isa && out->isa != want)
    log_error("%s: is for %s, but this machine is %s", path, out->isa->name, want->name);
  else return 0;
  load_file_free(f);
  return -EINVAL;
}
