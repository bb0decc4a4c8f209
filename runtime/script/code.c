/* `code` of isomer.machine: assembly text with labels, made into a bare ELF program in memory. */
#define _GNU_SOURCE
#include <ctype.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "script/script_int.h"

#define MAX_LINE 240
#define MAX_CODE (1 << 20)

struct unit {
  lua_State *L;
  const struct isa *isa;
  gpa_t base;
  struct label *labels; /* userdata on the Lua stack while this runs */
  unsigned nlabels, max;
  uint8_t *out;
  size_t n;
};

static const struct label *find(const struct unit *u, const char *name, size_t len) {
  for (unsigned i = 0; i < u->nlabels; i++)
    if (strlen(u->labels[i].name) == len && !memcmp(u->labels[i].name, name, len)) return &u->labels[i];
  return NULL;
}

/* Copies a line with every @name replaced by its distance from pc; unknown names count as here in the first pass. */
static void expand(const struct unit *u, const char *in, uint64_t pc, bool last, unsigned line, char *out) {
  size_t at = 0;
  while (*in && at < MAX_LINE) {
    if (*in != '@') {
      out[at++] = *in++;
      continue;
    }
    size_t len = 0;
    while (isalnum((unsigned char)in[1 + len]) || in[1 + len] == '_') len++;
    const struct label *l = find(u, in + 1, len);
    if (!l && last) luaL_error(u->L, "code, line %d: no label '%s'", (int)line, in + 1);
    int64_t distance = l && last ? (int64_t)(l->addr - pc) : 0;
    at += (size_t)snprintf(out + at, MAX_LINE - at, "%lld", (long long)distance);
    in += 1 + len;
  }
  out[at < MAX_LINE ? at : MAX_LINE] = 0;
}

static void one(struct unit *u, char *text, bool last, unsigned line) {
  char full[MAX_LINE + 1], err[200] = "";
  uint8_t bytes[64];
  char *hash = strchr(text, '#');
  if (hash) *hash = 0;
  while (isspace((unsigned char)*text)) text++;
  for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]);) text[--n] = 0;
  size_t n = strlen(text);
  if (!n) return;
  uint64_t pc = u->base + u->n;
  if (text[n - 1] == ':') {
    if (last) return;
    if (u->nlabels == u->max || n > sizeof u->labels[0].name)
      luaL_error(u->L, "code, line %d: too many or too long labels", (int)line);
    text[n - 1] = 0;
    strcpy(u->labels[u->nlabels].name, text);
    u->labels[u->nlabels++].addr = pc;
    return;
  }
  expand(u, text, pc, last, line, full);
  int len = u->isa->assemble(u->isa->default_features, full, pc, bytes, err, sizeof err);
  if (len < 0) luaL_error(u->L, "code, line %d: '%s': %s", (int)line, full, err);
  if (u->n + (size_t)len > MAX_CODE) luaL_error(u->L, "code: longer than %d bytes", MAX_CODE);
  memcpy(u->out + u->n, bytes, (size_t)len);
  u->n += (size_t)len;
}

static void pass(struct unit *u, const char *text, bool last) {
  unsigned line = 0;
  u->n = 0;
  while (*text) {
    size_t len = strcspn(text, "\n");
    char buf[MAX_LINE + 1];
    line++;
    if (len > MAX_LINE) luaL_error(u->L, "code, line %d: too long", (int)line);
    memcpy(buf, text, len);
    buf[len] = 0;
    one(u, buf, last, line);
    text += len + (text[len] == '\n');
  }
}

int code_elf(lua_State *L, const struct isa *isa, const char *text, gpa_t base, struct label **labels,
             unsigned *nlabels) {
  struct unit u = {.L = L, .isa = isa, .base = base, .max = 256};
  if (!isa->assemble) luaL_error(L, "code: %s has no assembler", isa->name);
  u.labels = lua_newuserdatauv(L, u.max * sizeof *u.labels, 0);
  u.out = lua_newuserdatauv(L, MAX_CODE, 0);
  pass(&u, text, false);
  pass(&u, text, true);
  if (!u.n) luaL_error(L, "code: no instruction");
  Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = isa->elf_machine,
                   .e_version = EV_CURRENT,
                   .e_entry = base,
                   .e_phoff = sizeof eh,
                   .e_ehsize = sizeof eh,
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1,
                   .e_shentsize = sizeof(Elf64_Shdr)};
  Elf64_Phdr ph = {.p_type = PT_LOAD,
                   .p_flags = PF_R | PF_W | PF_X,
                   .p_offset = 4096,
                   .p_vaddr = base,
                   .p_paddr = base,
                   .p_filesz = u.n,
                   .p_memsz = u.n,
                   .p_align = 4096};
  int fd = memfd_create("code", MFD_CLOEXEC);
  if (fd < 0 || pwrite(fd, &eh, sizeof eh, 0) != sizeof eh ||
      pwrite(fd, &ph, sizeof ph, sizeof eh) != sizeof ph || pwrite(fd, u.out, u.n, 4096) != (ssize_t)u.n) {
    if (fd >= 0) close(fd);
    luaL_error(L, "code: no memory for the program");
  }
  *labels = malloc((u.nlabels + 1) * sizeof **labels);
  if (!*labels) {
    close(fd);
    luaL_error(L, "out of memory");
  }
  memcpy(*labels, u.labels, u.nlabels * sizeof **labels);
  *nlabels = u.nlabels;
  lua_pop(L, 2);
  return fd;
}
