/* ELF, Image and file recognition on good, truncated, corrupt and foreign input built here byte by byte. */
#include "fake_isa.h"

#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include "loader/load.h"
#include "mem/phys.h"

static const struct isa rv = {.name = "riscv64", .elf_machine = EM_RISCV, .arch = &fake_arch};
static const struct isa x86 = {.name = "x86_64", .elf_machine = EM_X86_64, .arch = &fake_arch};
const struct isa *const isa_list[] = {&rv, &x86, NULL};

static char why[300];

/* --- a small ELF program: text, data with BSS in the next page, six symbols --- */

enum { TEXT = 0x1000, DATA = 0x1100, SYMS = 0x1200, STRS = 0x1300, SECTS = 0x1400, ELF_SIZE = 0x1500 };
static uint8_t file[0x4000];

static Elf64_Ehdr *ehdr(void) { return (Elf64_Ehdr *)(void *)file; }
static Elf64_Phdr *phdr(unsigned i) { return (Elf64_Phdr *)(void *)(file + 64) + i; }
static Elf64_Shdr *shdr(unsigned i) { return (Elf64_Shdr *)(void *)(file + SECTS) + i; }
static Elf64_Sym *symbol(unsigned i) { return (Elf64_Sym *)(void *)(file + SYMS) + i; }

static void make_elf(void) {
  static const char names[] = "\0_start\0inner\0main\0tohost\0$x\0undef";
  memset(file, 0, sizeof file);
  *ehdr() = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_EXEC,
                         .e_machine = EM_RISCV,
                         .e_version = 1,
                         .e_entry = 0x10010,
                         .e_phoff = 64,
                         .e_shoff = SECTS,
                         .e_ehsize = 64,
                         .e_phentsize = 56,
                         .e_phnum = 3,
                         .e_shentsize = 64,
                         .e_shnum = 3};
  *phdr(0) = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, DATA, 0x11100, 0x80011100, 0x100, 0x1f00, 0x1000};
  *phdr(1) = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, 0x10000, 0x80010000, 0x1100, 0x1100, 0x1000};
  *phdr(2) = (Elf64_Phdr){PT_NOTE, PF_R, 0x300, 0, 0, 4, 4, 4};
  for (unsigned i = 0; i < 0x100; i++) file[TEXT + i] = (uint8_t)i, file[DATA + i] = (uint8_t)~i;
  memcpy(file + STRS, names, sizeof names);
  *shdr(1) = (Elf64_Shdr){
      .sh_type = SHT_SYMTAB, .sh_offset = SYMS, .sh_size = 7 * 24, .sh_link = 2, .sh_entsize = 24};
  *shdr(2) = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = STRS, .sh_size = sizeof names};
  *symbol(1) = (Elf64_Sym){19, STT_OBJECT, 0, 2, 0x12000, 8};
  *symbol(2) = (Elf64_Sym){1, STT_NOTYPE, 0, 1, 0x10010, 0};
  *symbol(3) = (Elf64_Sym){14, STT_FUNC, 0, 1, 0x10040, 0x40};
  *symbol(4) = (Elf64_Sym){8, STT_NOTYPE, 0, 1, 0x10050, 0};
  *symbol(5) = (Elf64_Sym){26, STT_NOTYPE, 0, 1, 0x10040, 0};
  *symbol(6) = (Elf64_Sym){29, STT_FUNC, 0, SHN_UNDEF, 0, 0};
}

static void good_elf(struct elf *e) {
  make_elf();
  assert_int_equal(elf_parse(file, ELF_SIZE, e, why, sizeof why), 0);
}

static void test_elf(void **state) {
  (void)state;
  struct elf e;
  good_elf(&e);
  assert_int_equal(e.nsegs, 2);
  assert_int_equal(e.machine, EM_RISCV);
  assert_int_equal(e.entry, 0x10010);
  assert_false(e.pie);
  assert_int_equal(e.seg[0].vaddr, 0x10000); /* sorted */
  assert_int_equal(e.seg[0].prot, PR | PX);
  assert_int_equal(e.seg[1].paddr, 0x80011100);
  assert_int_equal(e.seg[1].prot, PR | PW);
  assert_int_equal(e.lo, 0x10000);
  assert_int_equal(e.last, 0x12fff);
  assert_int_equal(e.phdr, 0x10040);

  struct phys *p = phys_new();
  uint8_t b[4];
  assert_int_equal(phys_add_ram(p, 0x80010000, 0x3000, "ram"), 0);
  phys_write(p, 0x80012ffc, "junk", 4); /* a reload clears the BSS */
  assert_int_equal(elf_place(&e, p, why, sizeof why), 0);
  phys_read(p, 0x80011000 - 2, b, 2);
  assert_int_equal(b[0], 0);
  phys_read(p, 0x80011010, b, 4);
  assert_memory_equal(b, "\x10\x11\x12\x13", 4);
  phys_read(p, 0x80011101, b, 1);
  assert_int_equal(b[0], 0xfe);
  phys_read(p, 0x80012ffc, b, 4);
  assert_memory_equal(b, "\0\0\0\0", 4);
  phys_free(p);
  p = phys_new();
  assert_int_equal(phys_add_ram(p, 0x80010000, 0x2000, "ram"), 0);
  assert_int_equal(elf_place(&e, p, why, sizeof why), -EFAULT);
  assert_non_null(strstr(why, "0x80011100"));
  phys_free(p);
}

/* A segment of zeros alone: linkers put its offset behind the file's end. */
static void test_elf_zeros(void **state) {
  (void)state;
  struct elf e;
  uint8_t b[4] = {1, 1, 1, 1};
  make_elf();
  phdr(0)->p_filesz = 0;
  phdr(0)->p_offset = 0x10000000;
  assert_int_equal(elf_parse(file, ELF_SIZE, &e, why, sizeof why), 0);
  struct phys *p = phys_new();
  assert_int_equal(phys_add_ram(p, 0x80010000, 0x3000, "ram"), 0);
  phys_write(p, 0x80011100, "junk", 4);
  assert_int_equal(elf_place(&e, p, why, sizeof why), 0);
  phys_read(p, 0x80011100, b, 4);
  assert_memory_equal(b, "\0\0\0\0", 4);
  phys_free(p);
  phdr(0)->p_filesz = 1;
  assert_int_equal(elf_parse(file, ELF_SIZE, &e, why, sizeof why), -EINVAL);
  assert_non_null(strstr(why, "truncated"));
}

/* What Linux maps for such headers (fs/binfmt_elf.c, elf_load): whole pages of the file, a zeroed rest, zero pages. */
static void test_elf_plan(void **state) {
  (void)state;
  struct elf e;
  struct elf_step step[ELF_MAX_STEPS];
  make_elf();
  assert_int_equal(elf_parse_program(file, 0x400, ELF_SIZE, &e, why, sizeof why), 0);
  assert_null(e.bytes);
  assert_int_equal(elf_need(file, 0x400), 64 + 3 * 56);
  for (uint64_t bias = 0; bias < 0x20000000; bias += 0x10000000) {
    assert_int_equal(elf_plan(&e, bias, 0x10000, UINT64_C(1) << 38, step, why, sizeof why), 3);
    assert_int_equal(step[0].at, bias + 0x10000);
    assert_int_equal(step[0].len, 0x2000);
    assert_int_equal(step[0].off, 0);
    assert_true(step[0].file && step[0].prot == (PR | PX) && !step[0].zero);
    assert_int_equal(step[1].at, bias + 0x11000); /* the page that both segments share */
    assert_int_equal(step[1].len, 0x1000);
    assert_int_equal(step[1].off, 0x1000);
    assert_int_equal(step[1].zero, 0xe00);
    assert_true(step[1].file && step[1].prot == (PR | PW));
    assert_int_equal(step[2].at, bias + 0x12000);
    assert_int_equal(step[2].len, 0x1000);
    assert_true(!step[2].file && !step[2].zero && step[2].prot == (PR | PW));
  }
  assert_int_equal(elf_plan(&e, 0, 0x11000, UINT64_C(1) << 38, step, why, sizeof why), -EINVAL);
  assert_int_equal(elf_plan(&e, 0, 0x10000, 0x12fff, step, why, sizeof why), -EINVAL);
  assert_int_equal(elf_plan(&e, UINT64_MAX - 0x11fff, 0, UINT64_MAX, step, why, sizeof why), -EINVAL);
  e.seg[1].offset++;
  assert_int_equal(elf_plan(&e, 0, 0x10000, UINT64_C(1) << 38, step, why, sizeof why), -EINVAL);
  assert_non_null(strstr(why, "0x1101"));
}

/* What only programs have. */
static void test_elf_program(void **state) {
  (void)state;
  struct elf e;
  make_elf();
  *phdr(2) = (Elf64_Phdr){PT_INTERP, PF_R, 0x300, 0, 0, 20, 20, 1};
  phdr(0)->p_paddr = phdr(1)->p_paddr; /* means nothing */
  phdr(0)->p_align = 0x40000;
  phdr(1)->p_align = 0x7000;
  assert_int_equal(elf_parse_program(file, 0x400, ELF_SIZE, &e, why, sizeof why), 0);
  assert_int_equal(e.interp_off, 0x300);
  assert_int_equal(e.interp_len, 20);
  assert_int_equal(e.align, 0x40000);
  assert_false(e.exec_stack);
  phdr(2)->p_filesz = 1;
  assert_int_equal(elf_parse_program(file, 0x400, ELF_SIZE, &e, why, sizeof why), -EINVAL);
  phdr(2)->p_filesz = 20;
  phdr(2)->p_offset = ELF_SIZE - 19;
  assert_int_equal(elf_parse_program(file, 0x400, ELF_SIZE, &e, why, sizeof why), -EINVAL);
  *phdr(2) = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X};
  assert_int_equal(elf_parse_program(file, 0x400, ELF_SIZE, &e, why, sizeof why), 0);
  assert_true(e.exec_stack && !e.interp_len);
}

/* Each row breaks one thing; the reason must say which. */
static void test_bad_elf(void **state) {
  (void)state;
  struct elf e;
#define BROKEN(change, text)                                                   \
  do {                                                                         \
    make_elf();                                                                \
    change;                                                                    \
    assert_int_equal(elf_parse(file, ELF_SIZE, &e, why, sizeof why), -EINVAL); \
    if (!strstr(why, text)) fail_msg("%s: says \"%s\"", #change, why);         \
  } while (0)
  BROKEN(file[0] = 0, "not an ELF");
  BROKEN(ehdr()->e_ident[EI_CLASS] = ELFCLASS32, "32-bit");
  BROKEN(ehdr()->e_ident[EI_DATA] = ELFDATA2MSB, "big-endian");
  BROKEN(ehdr()->e_ident[EI_VERSION] = 7, "version 7");
  BROKEN(ehdr()->e_type = ET_REL, "relocatable");
  BROKEN(ehdr()->e_type = ET_CORE, "core dump");
  BROKEN(ehdr()->e_type = 0xff00, "unknown type");
  BROKEN(ehdr()->e_phnum = 0, "without program headers");
  BROKEN(ehdr()->e_phentsize = 55, "55 bytes");
  BROKEN(ehdr()->e_phoff = UINT64_MAX, "beyond the end");
  BROKEN(ehdr()->e_phnum = 0xffff, "beyond the end");
  BROKEN(ehdr()->e_entry = 0x50000, "entry point 0x50000");
  BROKEN(phdr(2)->p_type = PT_INTERP, "dynamically linked");
  BROKEN(phdr(1)->p_filesz = 0x1101, "more bytes in the file");
  BROKEN(phdr(1)->p_offset = 0x401, "truncated: segment 1");
  BROKEN(phdr(1)->p_offset = UINT64_MAX, "truncated: segment 1");
  BROKEN(phdr(0)->p_memsz = UINT64_MAX, "segment 0 has 0xffffffffffffffff");
  BROKEN(phdr(0)->p_memsz = (UINT64_C(1) << 36) - 0x1000, "segments take 0x1000000100 bytes");
  BROKEN(phdr(0)->p_memsz = UINT64_C(1) << 41, "segment 0 has");
  BROKEN(phdr(0)->p_vaddr = UINT64_MAX - 5, "segment 0 has");
  BROKEN(phdr(0)->p_vaddr = 0x110ff, "overlap");
  BROKEN(phdr(0)->p_paddr = 0x80010fff, "overlap");
  BROKEN(phdr(0)->p_paddr = 0x8000ffff, "overlap");
  BROKEN(phdr(0)->p_type = phdr(1)->p_type = PT_NULL, "nothing to load");
  for (size_t n = 0; n < DATA + 0x100; n++) {
    make_elf();
    assert_int_equal(elf_parse(file, n, &e, why, sizeof why), -EINVAL);
  }
}

static void test_symbols(void **state) {
  (void)state;
  struct elf e;
  struct symtab t;
  good_elf(&e);
  assert_int_equal(symtab_load(&e, 0x1000, &t, why, sizeof why), 0);
  assert_int_equal(t.n, 4); /* no mapping symbol, nothing undefined */
  assert_int_equal(sym_named(&t, "tohost")->addr, 0x13000);
  assert_null(sym_named(&t, "undef"));
  static const struct {
    gva_t addr;
    const char *name;
  } at[] = {{0x11000, NULL},   {0x11010, "_start"}, {0x1103f, "_start"}, {0x11040, "main"},
            {0x11058, "main"}, {0x1107f, "main"},   {0x13007, "tohost"}};
  for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
    const struct sym *s = sym_find(&t, at[i].addr);
    if (!at[i].name) assert_null(s);
    else assert_string_equal(s->name, at[i].name);
  }
  symtab_free(&t);
#define DAMAGED(change)                                                 \
  do {                                                                  \
    good_elf(&e);                                                       \
    change;                                                             \
    assert_int_equal(symtab_load(&e, 0, &t, why, sizeof why), -EINVAL); \
    assert_non_null(strstr(why, "damaged"));                            \
  } while (0)
  DAMAGED(ehdr()->e_shentsize = 1);
  DAMAGED(ehdr()->e_shoff = UINT64_MAX);
  DAMAGED(ehdr()->e_shnum = 60000);
  DAMAGED(ehdr()->e_shnum = 0; shdr(0)->sh_size = UINT64_MAX);
  DAMAGED(shdr(1)->sh_offset = UINT64_MAX);
  DAMAGED(shdr(1)->sh_size = UINT64_MAX);
  DAMAGED(shdr(1)->sh_entsize = 23);
  DAMAGED(shdr(1)->sh_link = 3);
  DAMAGED(shdr(1)->sh_link = 1);
  DAMAGED(shdr(2)->sh_size = UINT64_MAX - 4);
  good_elf(&e);
  symbol(3)->st_name = 0xffffffff;
  file[STRS + shdr(2)->sh_size - 1] = 'x'; /* the last name has no end */
  symbol(2)->st_name = 29;
  assert_int_equal(symtab_load(&e, 0, &t, why, sizeof why), 0);
  assert_int_equal(t.n, 2);
  symtab_free(&t);
  good_elf(&e);
  ehdr()->e_shoff = 0;
  assert_int_equal(symtab_load(&e, 0, &t, why, sizeof why), 0);
  assert_null(sym_find(&t, 0x10010));
  symtab_free(&t);
}

static int text_symbols(const char *text, struct symtab *t) {
  uint8_t *exact = malloc(strlen(text) + 1); /* without the zero: for ASan */
  memcpy(exact, text, strlen(text));
  exact = realloc(exact, strlen(text) ? strlen(text) : 1);
  int r = symtab_text(exact, strlen(text), t, why, sizeof why);
  free(exact);
  return r;
}

static void test_symbols_as_text(void **state) {
  (void)state;
  struct symtab t;
  assert_int_equal(text_symbols("ffffffff80001000 T start_kernel\n"
                                "ffffffff80000000 t first\r\n"
                                "\n"
                                "ffffffff80002000 D a_variable\n"
                                "ffffffff80001000 t $xrv64\n"
                                "ffffffffa0000000 t probe\t[virtio_rng]",
                                &t),
                   0);
  assert_int_equal(t.n, 3);
  assert_string_equal(sym_find(&t, 0xffffffff80000fff)->name, "first");
  assert_string_equal(sym_find(&t, 0xffffffff80001000)->name, "start_kernel");
  assert_string_equal(sym_find(&t, 0xffffffffa0000010)->name, "probe");
  assert_null(sym_find(&t, 0x1000));
  symtab_free(&t);
  assert_int_equal(text_symbols("", &t), 0);
  symtab_free(&t);
  static const char *const bad[] = {
      "x", "12", "12 T", "12 TT name", "1g T name", "12345678123456781 T name", "\n\n \n"};
  for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
    assert_int_equal(text_symbols(bad[i], &t), -EINVAL);
    assert_non_null(strstr(why, i == ARRAY_SIZE(bad) - 1 ? "line 3 is not" : "line 1 is not"));
  }
}

/* --- Linux Image --- */

static void put(size_t at, unsigned bytes, uint64_t v) {
  for (unsigned i = 0; i < bytes; i++) file[at + i] = (uint8_t)(v >> 8 * i);
}

enum { IMAGE_SIZE = 0x3000 };
static void make_image(const char *magic, unsigned machine) {
  memset(file, 0, sizeof file);
  memcpy(file, "MZ", 2);
  put(8, 8, 0x200000);
  put(16, 8, 0x5000); /* with BSS: more than the file */
  memcpy(file + 56, magic, 4);
  put(60, 4, 0x40);
  memcpy(file + 0x40, "PE\0\0", 4);
  put(0x44, 2, machine);
  put(0x46, 2, 2);
  put(0x54, 2, 160);
  size_t sections = 0x40 + 24 + 160;
  put(sections + 16, 4, 0x1000), put(sections + 20, 4, 0x1000);
  put(sections + 40 + 16, 4, 0x1000), put(sections + 40 + 20, 4, 0x2000);
}

static void test_image(void **state) {
  (void)state;
  struct image i;
  make_image("RSC\5", 0x5064);
  assert_true(image_is(file, IMAGE_SIZE));
  assert_int_equal(image_parse(file, IMAGE_SIZE, &i, why, sizeof why), 0);
  assert_string_equal(i.isa, "riscv64");
  assert_int_equal(i.text_offset, 0x200000);
  assert_int_equal(i.mem_size, 0x5000);
  make_image("ARMd", 0xaa64);
  put(8, 8, 0);
  assert_int_equal(image_parse(file, IMAGE_SIZE, &i, why, sizeof why), 0);
  assert_string_equal(i.isa, "arm64");
  assert_int_equal(i.text_offset, 0);
  put(16, 8, 0); /* before Linux 3.17: the offset is fixed */
  assert_int_equal(image_parse(file, IMAGE_SIZE, &i, why, sizeof why), 0);
  assert_int_equal(i.text_offset, 0x80000);
  assert_int_equal(i.mem_size, IMAGE_SIZE);
  for (size_t n = 0; n < IMAGE_SIZE; n++) {
    make_image("RSC\5", 0x5064);
    assert_int_equal(image_parse(file, n, &i, why, sizeof why), -EINVAL);
    if (n >= 64 && !strstr(why, "truncated")) fail_msg("%zu bytes: %s", n, why);
  }
#define BAD_IMAGE(change, text)                                                    \
  do {                                                                             \
    make_image("RSC\5", 0x5064);                                                   \
    change;                                                                        \
    assert_int_equal(image_parse(file, IMAGE_SIZE, &i, why, sizeof why), -EINVAL); \
    if (!strstr(why, text)) fail_msg("%s: says \"%s\"", #change, why);             \
  } while (0)
  BAD_IMAGE(put(24, 8, 1), "big-endian");
  BAD_IMAGE(put(16, 8, UINT64_MAX), "18446744073709551615 bytes");
  BAD_IMAGE(put(8, 8, UINT64_MAX), "offset 0xffffffffffffffff");
  BAD_IMAGE(put(60, 4, 0xffffffff), "PE header");
  BAD_IMAGE(put(0x40, 4, 0), "no PE header");
  BAD_IMAGE(put(0x44, 2, 0xaa64), "machine 0xaa64");
  BAD_IMAGE(put(0x46, 2, 0xffff), "truncated");
  BAD_IMAGE(put(0x54, 2, 0xffff), "truncated");
  make_image("RSC\5", 0x5064);
  memset(file, 0, 2); /* built without EFI: nothing says how long it is */
  assert_int_equal(image_parse(file, 0x1000, &i, why, sizeof why), 0);
}

/* --- telling files apart --- */

static void expect(int rc, enum load_kind kind, const char *text, size_t n) {
  struct load_info info;
  why[0] = 0;
  assert_int_equal(load_identify(file, n, &info, why, sizeof why), rc);
  if (rc && !strstr(why, text)) fail_msg("wanted \"%s\", got \"%s\"", text, why);
  if (!rc) assert_int_equal(info.kind, kind);
  if (!rc && info.isa) assert_string_equal(info.isa->name, text);
}

static void test_identify(void **state) {
  (void)state;
  make_elf();
  expect(0, LOAD_ELF, "riscv64", ELF_SIZE);
  expect(-EINVAL, 0, "truncated", 100);
  ehdr()->e_machine = EM_AARCH64;
  expect(-ENOENT, 0, "AArch64", ELF_SIZE);
  ehdr()->e_machine = 0xbeef;
  expect(-ENOENT, 0, "machine 48879", ELF_SIZE);
  make_image("RSC\5", 0x5064);
  expect(0, LOAD_IMAGE, "riscv64", IMAGE_SIZE);
  expect(-EINVAL, 0, "truncated", IMAGE_SIZE - 1);
  expect(-EINVAL, 0, "truncated", 10);
  make_image("ARMd", 0xaa64);
  expect(-ENOENT, 0, "arm64", IMAGE_SIZE);
  expect(-EINVAL, 0, "empty", 0);
  static const struct {
    unsigned at;
    const char *magic;
    unsigned n;
    const char *text;
  } foreign[] = {{0, "\x1f\x8b\x08", 3, "gzip"},
                 {0x202, "HdrS", 4, "bzImage"},
                 {0, "MZ", 2, "EFI"},
                 {4, "zimg", 4, "compressed EFI"},
                 {0, "\x28\xb5\x2f\xfd", 4, "zstd"},
                 {0,
                  "\xfd"
                  "7zXZ\0",
                  6, "xz"},
                 {0, "070701", 6, "initrd"},
                 {0, "#!", 2, "script"},
                 {0, "\xd0\x0d\xfe\xed", 4, "device tree"}};
  for (unsigned i = 0; i < ARRAY_SIZE(foreign); i++) {
    memset(file, 0, sizeof file);
    memcpy(file + foreign[i].at, foreign[i].magic, foreign[i].n);
    expect(-EINVAL, 0, foreign[i].text, 0x1000);
  }
  memset(file, 0x55, sizeof file);
  expect(0, LOAD_RAW, "", 0x1000);
}

static void test_files(void **state) {
  (void)state;
  char path[] = "/tmp/isomer-test-XXXXXX";
  struct load_file f;
  struct load_info info;
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  make_elf();
  assert_int_equal(write(fd, file, ELF_SIZE), ELF_SIZE);
  assert_int_equal(load_open(path, &rv, false, &f, &info), 0);
  assert_int_equal(f.size, ELF_SIZE);
  assert_ptr_equal(info.isa, &rv);
  load_file_free(&f);
  fake_capture();
  assert_int_equal(load_open(path, &x86, false, &f, &info), -EINVAL);
  assert_non_null(strstr(fake_log, path));
  assert_non_null(strstr(fake_log, "is for riscv64"));
  assert_int_equal(ftruncate(fd, 200), 0);
  assert_int_equal(load_open(path, NULL, false, &f, &info), -EINVAL);
  assert_non_null(strstr(fake_log, "truncated"));
  assert_int_equal(ftruncate(fd, 0), 0);
  assert_int_equal(pwrite(fd, "raw firmware", 12, 0), 12);
  assert_int_equal(load_open(path, NULL, false, &f, &info), -EINVAL);
  assert_non_null(strstr(fake_log, "neither"));
  assert_int_equal(load_open(path, &rv, true, &f, &info), 0);
  assert_int_equal(info.kind, LOAD_RAW);
  load_file_free(&f);
  close(fd);
  unlink(path);
  assert_int_equal(load_open(path, NULL, true, &f, &info), -ENOENT);
  assert_non_null(strstr(fake_log, "No such file"));
  assert_int_equal(load_open("/tmp", NULL, true, &f, &info), -EINVAL);
  assert_non_null(strstr(fake_log, "a directory"));
  log_set_sink(NULL, NULL);
}

/* Seeded damage: whatever parses must also place, map and look up without harm (run under sanitizers). */
static void test_damage(void **state) {
  (void)state;
  struct phys *p = phys_new();
  uint64_t r = 3;
  unsigned parsed = 0;
  assert_int_equal(phys_add_ram(p, 0x80010000, 0x10000, "ram"), 0);
  for (int n = 0; n < 60000; n++) {
    struct load_info info;
    struct symtab t;
    size_t size = ELF_SIZE;
    if (n % 3) make_elf();
    else make_image(n & 1 ? "RSC\5" : "ARMd", n & 1 ? 0x5064 : 0xaa64), size = IMAGE_SIZE;
    for (int k = n % 5; k >= 0; k--) {
      r = r * 6364136223846793005u + 1442695040888963407u;
      static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 3, 0x10, 0x40};
      unsigned areas[] = {256, ELF_SIZE - SECTS, SYMS - SYMS + 7 * 24, 64};
      unsigned base[] = {0, SECTS, SYMS, 0}, a = r >> 62;
      file[base[a] + (r >> 32) % areas[a]] = values[r >> 56 & 7];
      if (r >> 20 & 1) size = size - (r >> 8 & 0xff);
    }
    uint8_t *exact = malloc(size); /* so that reading one byte too far is seen */
    memcpy(exact, file, size);
    if (!load_identify(exact, size, &info, why, sizeof why) && info.kind == LOAD_ELF) {
      parsed++;
      (void)elf_place(&info.elf, p, why, sizeof why);
      if (!symtab_load(&info.elf, 0, &t, why, sizeof why)) {
        (void)sym_find(&t, info.elf.entry);
        symtab_free(&t);
      }
    }
    free(exact);
  }
  assert_true(parsed > 1000);
  phys_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_elf),
                                     cmocka_unit_test(test_elf_zeros),
                                     cmocka_unit_test(test_elf_plan),
                                     cmocka_unit_test(test_elf_program),
                                     cmocka_unit_test(test_bad_elf),
                                     cmocka_unit_test(test_symbols),
                                     cmocka_unit_test(test_symbols_as_text),
                                     cmocka_unit_test(test_image),
                                     cmocka_unit_test(test_identify),
                                     cmocka_unit_test(test_files),
                                     cmocka_unit_test(test_damage)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
