/* The address space of a user-mode process at identity: a guest address is the host's address of the same byte, and the
 * host's MMU checks every access. Isomer itself is a PIE and lies outside [lo, hi), the part that guests may map; what is
 * mapped there, with which rights, is kept in one sorted table. All functions are safe from any thread of the process.
 *
 * A page is *code* once an engine has read instructions from it. If the guest may write it, the host's write permission is
 * taken away first; the next write, by a vCPU (a host fault) or by a system call (space_kernel_writes), gives it back and
 * tells the listener of every vCPU's engine. Unmapping, remapping and changes of rights tell them too. */
#ifndef ISOMER_MEM_SPACE_H
#define ISOMER_MEM_SPACE_H

#include "core/vcpu.h"

struct space;

/* Guest addresses have this many bits at most: what generated code compares with before it trusts the host's MMU. */
#define SPACE_BITS 38
/* Nothing is mapped in this many bytes above 1 << SPACE_BITS, nor in so many below address 0 (the host's kernel is there): code
 * that compared an address may access what lies so near. */
#define SPACE_GUARD (1u << 20)

/* Rights, as bits of enum access. */
enum { SPACE_R = 1 << ACCESS_READ, SPACE_W = 1 << ACCESS_WRITE, SPACE_X = 1 << ACCESS_FETCH };

/* An empty space with hi <= 1 << SPACE_BITS; one per host process (it installs the handlers of os/fault.h). NULL (logged) when out of memory or when Isomer itself lies below hi. */
struct space *space_new(gva_t lo, gva_t hi);
/* Whether SPACE_GUARD is kept: something else may have that place, as the shadow memory of a sanitizer. */
bool space_guarded(const struct space *s);
void space_free(struct space *s); /* unmaps everything */

/* Makes the data accesses and fetches of `v` go through `s`: before its engine is selected. A refused access raises
 * arch_ops.bus_fault, with v->c->fault saying what it means to a Linux process. Threads that run vCPUs call
 * os_fault_thread. -ENOMEM. */
int space_attach(struct space *s, struct vcpu *v);
void space_detach(struct space *s,
                  struct vcpu *v); /* after its engine is gone; it then has no memory at all */

/* As mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2) with the host's constants, which every ABI here shares, but
 * within [lo, hi): an address, or -errno (Linux's choice of errno). fd is the host's. Memory with any right can be read,
 * as on most hosts. Never executable for the host. MAP_GROWSDOWN is refused with -EOPNOTSUPP, huge pages with -ENOMEM. */
int64_t space_map(struct space *s, gva_t at, uint64_t len, int prot, int flags, int fd, uint64_t off);
int space_unmap(struct space *s, gva_t at, uint64_t len);
int space_protect(struct space *s, gva_t at, uint64_t len, int prot);
int64_t space_remap(struct space *s, gva_t at, uint64_t old_len, uint64_t new_len, int flags, gva_t to);
int space_advise(struct space *s, gva_t at, uint64_t len, int advice);
/* Mappings without an address are placed below `top`, downwards. */
void space_set_top(struct space *s, gva_t top);

/* The mapping that covers `at`, or the next one above; false when there is none. */
struct space_info {
  gva_t start, last; /* inclusive */
  unsigned prot;     /* SPACE_* as the guest asked */
  bool shared;
  uint64_t off;      /* of a file mapping: bytes */
  uint64_t dev, ino; /* of a file mapping, else 0 */
  char name[256];    /* path of the file, "[heap]", "[stack]", "" */
};
bool space_next(struct space *s, gva_t at, struct space_info *out);
/* Names an anonymous mapping ("[stack]"); `name` is a string constant. */
void space_name(struct space *s, gva_t at, const char *name);

/* Is all of [va, va + n) inside [lo, hi)? Nothing is said about what is mapped. */
bool space_holds(const struct space *s, gva_t va, uint64_t n);
/* Does the guest have `right` to all of [va, va + n)? May change at once when other threads run. */
bool space_allowed(struct space *s, gva_t va, uint64_t n, unsigned right);

/* Copies for system calls: all of it, or -EFAULT (writes may have been done in part). Never crash, whatever va is. */
int space_read(struct space *s, gva_t va, void *buf, uint64_t n);
int space_write(struct space *s, gva_t va, const void *buf, uint64_t n);
/* A zero-terminated string of less than n bytes: its length, -EFAULT or -ENAMETOOLONG. */
int64_t space_string(struct space *s, gva_t va, char *buf, size_t n);

/* The host's kernel is about to write to [va, va + n) for a system call: code pages in it become plain. -EFAULT when the
 * range is not inside [lo, hi). Cheap when there are no code pages that can be written. Another thread may execute from
 * the range before the kernel writes, which then fails with EFAULT: calling this again and repeating the call helps. */
int space_kernel_writes(struct space *s, gva_t va, uint64_t n);

/* --- for engines and the rest of mem/ --- */

/* Called, with the space's lock held, for every page that stops being code; `space_fork_*` calls the others. */
struct space_listener {
  void (*code)(void *owner, gva_t page);
  void (*fork_prepare)(void);
  void (*fork_done)(bool child);
};
void space_listen(struct space *s, const struct space_listener *l);

/* May `v` fetch at va? 0, or STEP_TRAP. */
int space_fetch(struct vcpu *v, gva_t va);
/* Makes the page at va code, before its bytes are copied. 0, or STEP_TRAP when it cannot be fetched from any more. */
int space_code_mark(struct vcpu *v, gva_t va);
/* Copies n bytes, all of the page at va, that an engine wants to decode. 0, or STEP_TRAP. */
int space_fetch_copy(struct vcpu *v, gva_t va, void *buf, unsigned n);

/* Is the page at va code? */
bool space_is_code(const struct space *s, gva_t va);

/* After an access of n bytes at `a` faulted: 0 to try again (a code page became plain, or another thread changed the
 * mapping), or STEP_TRAP with the trap of the first byte that may not be accessed. */
int space_repair(struct vcpu *v, gva_t a, uint64_t n, enum access access);
/* The trap of the first byte in [a, a + n) without the right, or 0. */
int space_probe(struct vcpu *v, gva_t a, uint64_t n, enum access access);

/* The program synchronises fetches with stores (an instruction or system call): code pages of shared mappings become plain,
 * for they may have changed by other addresses than their own. Cheap when there are none. */
void space_fence(struct space *s);

/* Around a host fork: no other thread holds the space's locks in the child, which has only the calling thread's vCPU. */
void space_fork_prepare(struct space *s);
void space_fork_done(struct space *s, bool child);

#endif
