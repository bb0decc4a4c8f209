/* Files that a machine starts from: reading them whole, and telling what they are. */
#ifndef ISOMER_LOADER_LOAD_H
#define ISOMER_LOADER_LOAD_H

#include "loader/elf.h"
#include "loader/image.h"

struct isa;

/* A file's bytes, owned, and the file itself, still open, for who wants to read it again later without keeping them. */
struct load_file {
  uint8_t *bytes;
  size_t size;
  int fd; /* at least 3; 0 when nothing is loaded */
};

/* Reads a regular file whole. -errno with one line in `why` that names the file. */
int load_file(const char *path, struct load_file *out, char *why, size_t nwhy);
void load_file_free(struct load_file *f);

enum load_kind {
  LOAD_RAW, /* nothing we know: acceptable as firmware, never as a kernel or program */
  LOAD_ELF,
  LOAD_IMAGE,
};

struct load_info {
  enum load_kind kind;
  const struct isa *isa; /* NULL for LOAD_RAW */
  union {
    struct elf elf;
    struct image image;
  };
};

/* What `bytes` are and for which ISA. 0, or -EINVAL (a format that cannot be started, which `why` names, or what is wrong
 * with the file), or -ENOENT (an ISA that is not built in). out->elf refers to `bytes`. */
int load_identify(const uint8_t *bytes, size_t n, struct load_info *out, char *why, size_t nwhy);

/* load_file and load_identify; one line naming the file is logged on error, else the caller frees *f. With `want`, a file
 * for another ISA is refused; LOAD_RAW is refused unless `raw` allows it. */
int load_open(const char *path, const struct isa *want, bool raw, struct load_file *f, struct load_info *out);

#endif
