/* Names of a process's code: symbol tables of the files that are mapped, read when the first name of a file is needed. */
#include "user/symbols.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols.h"
#include "user/process.h"

struct file {
  struct file *next;
  uint64_t dev, ino;
  struct elf elf; /* its segments */
  struct symtab table;
};

struct user_symbols {
  struct symbols symbols;
  struct user_process *process;
  pthread_mutex_t lock; /* of the list; entries stay */
  struct file *files;
};

/* What cannot be read, or is no program, has no names: that is no error here. */
static void read_file(struct file *f, const char *path) {
  struct load_file bytes;
  char why[200];
  if (load_file(path, &bytes, why, sizeof why)) return;
  if (elf_need(bytes.bytes, bytes.size) <= bytes.size &&
      !elf_parse_program(bytes.bytes, bytes.size, bytes.size, &f->elf, why, sizeof why)) {
    f->elf.bytes = bytes.bytes;
    f->elf.size = bytes.size;
    if (symtab_load(&f->elf, 0, &f->table, why, sizeof why)) f->table = (struct symtab){0};
    f->elf.bytes = NULL;
  }
  load_file_free(&bytes);
}

static const struct file *file_of(struct user_symbols *s, const struct space_info *m) {
  pthread_mutex_lock(&s->lock);
  struct file *f = s->files;
  while (f && (f->dev != m->dev || f->ino != m->ino)) f = f->next;
  if (!f && (f = calloc(1, sizeof *f))) {
    f->dev = m->dev;
    f->ino = m->ino;
    read_file(f, m->name);
    f->next = s->files;
    s->files = f;
  }
  pthread_mutex_unlock(&s->lock);
  return f;
}

static const struct sym *find_in(const struct file *f, uint64_t off, uint64_t *distance) {
  for (unsigned i = 0; f && i < f->elf.nsegs; i++) {
    const struct elf_segment *g = &f->elf.seg[i];
    if (!(g->prot & SPACE_X) || off - g->offset >= g->filesz) continue;
    const gva_t at = g->vaddr + (off - g->offset);
    const struct sym *y = sym_find(&f->table, at);
    if (y) *distance = at - y->addr;
    return y;
  }
  return NULL;
}

static bool find(const struct symbols *base, gva_t pc, char *name, size_t n, uint64_t *distance) {
  struct user_symbols *s = container_of((struct symbols *)(uintptr_t)base, struct user_symbols, symbols);
  struct space_info m;
  if (!space_next(s->process->space, pc, &m) || m.start > pc || !(m.prot & SPACE_X)) return false;
  const struct sym *y = m.ino ? find_in(file_of(s, &m), pc - m.start + m.off, distance) : NULL;
  if (y) {
    snprintf(name, n, "%s", y->name);
    return true;
  }
  const char *slash = strrchr(m.name, '/');
  *distance = pc - m.start + m.off;
  snprintf(name, n, "[%s]", slash ? slash + 1 : *m.name ? m.name : "anonymous");
  return true;
}

static bool named(const struct symbols *base, const char *name, gva_t *pc) {
  const struct user_symbols *s = container_of(base, struct user_symbols, symbols);
  struct user_image *i = &s->process->image;
  char why[200];
  if (!i->symbols.n && user_image_symbols(i, why, sizeof why)) return false;
  const struct sym *y = sym_named(&i->symbols, name);
  if (y) *pc = y->addr;
  return y != NULL;
}

const struct symbols *user_symbols_new(struct user_process *p) {
  struct user_symbols *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->symbols = (struct symbols){find, named};
  s->process = p;
  pthread_mutex_init(&s->lock, NULL);
  return &s->symbols;
}

void user_symbols_fork(const struct symbols *base, bool before) {
  struct user_symbols *s = container_of((struct symbols *)(uintptr_t)base, struct user_symbols, symbols);
  if (!base) return;
  if (before) pthread_mutex_lock(&s->lock);
  else pthread_mutex_unlock(&s->lock);
}

void user_symbols_free(const struct symbols *base) {
  struct user_symbols *s = container_of((struct symbols *)(uintptr_t)base, struct user_symbols, symbols);
  if (!base) return;
  while (s->files) {
    struct file *f = s->files;
    s->files = f->next;
    symtab_free(&f->table);
    free(f);
  }
  free(s);
}
