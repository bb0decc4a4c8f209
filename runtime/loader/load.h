/* Files that a machine starts from: reading them whole, and telling what they are. */
#ifndef ISOMER_LOADER_LOAD_H
#define ISOMER_LOADER_LOAD_H

#include "loader/elf.h"
#include "loader/image.h"

struct isa;

/* A file's bytes, owned. */
struct load_file {
  uint8_t *bytes;
  size_t size;
};

/* Reads a regular file whole. -errno with one line logged that names the file. */
int load_file(const char *path, struct load_file *out);
void load_file_free(struct load_file *f);

enum load_kind { LOAD_ELF, LOAD_IMAGE };

struct load_info {
  enum load_kind kind;
  const struct isa *isa;
  union {
    struct elf elf;
    struct image image;
  };
};

/* What `bytes` are and for which ISA. 0, or -EINVAL (nothing we can start; `why` names what it is instead, if known, or
 * what is wrong with it), or -ENOENT (an ISA that is not built in). out->elf refers to `bytes`. */
int load_identify(const uint8_t *bytes, size_t n, struct load_info *out, char *why, size_t nwhy);

/* load_file and load_identify; logs one line that names the file. The caller frees *f in any case of success. With
 * `want`, a file for another ISA is refused (-EINVAL). */
int loader_detect(const char *path, const struct isa *want, struct load_file *f, struct load_info *out);

#endif
