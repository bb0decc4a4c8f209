/* What implementations of system calls share: the engine that makes the host's kernel do what the tables say, and its parts. */
#ifndef ISOMER_USER_CALL_H
#define ISOMER_USER_CALL_H

#include "user/call_table.h"
#include "user/process.h"

/* The call of a number, or NULL. */
const struct call_info *user_call_info(const struct user_abi *abi, uint64_t nr);

/* --- pass.c --- */

/* The host's kernel does `c`: descriptors hidden, pointers checked, structures, sets and paths translated. */
int64_t user_pass(struct user_thread *t, const struct call_info *c, const uint64_t arg[6]);

/* Values of a set (SET_*) between the ISA and the host. */
uint64_t user_set_to_host(const struct user_abi *abi, unsigned set, uint64_t v);
uint64_t user_set_to_guest(const struct user_abi *abi, unsigned set, uint64_t v);
/* Size of a struct (STRUCT_*) in the program's memory, and copies with translation: 0 or -EFAULT. */
unsigned user_struct_size(const struct user_abi *abi, unsigned type);
int user_struct_read(struct user_thread *t, unsigned type, gva_t from, void *host);
int user_struct_write(struct user_thread *t, unsigned type, gva_t to, const void *host);

/* The host's descriptor for one of the program's: the same, but -1 for one of Isomer's own. */
int user_fd(const struct user_thread *t, uint64_t fd);
/* The host's kernel is about to read or write (ARG_*) n bytes at va: 0 or -EFAULT. Null pointers are the kernel's to judge. */
int user_touch(struct user_thread *t, gva_t va, uint64_t n, unsigned dir);
/* No process has memory there: what the kernel gets for a pointer that leads out of the program's address space, so that it
 * finds the call's errors in its own order. */
#define USER_NOWHERE (~UINT64_C(0xffff))
/* What the kernel gets for the pointer va to n bytes. */
uint64_t user_pointer(struct user_thread *t, gva_t va, uint64_t n, unsigned dir);

#define USER_IOV_MAX 1024
struct iovec;
/* Copies n (at most USER_IOV_MAX) buffers' places for the kernel; those outside lead nowhere. 0 or -EFAULT. */
int user_iovec(struct user_thread *t, gva_t from, uint64_t n, unsigned dir, struct iovec *out);

/* user_syscall_host with its arguments in an array. */
static inline int64_t user_host(struct user_thread *t, long nr, const uint64_t a[6]) {
  return user_syscall_host(t, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#define HOST(t, name, ...) user_host(t, SYS_##name, (const uint64_t[6]){__VA_ARGS__})

/* --- strace.c --- */

/* One line of --strace, in the making. */
struct strace {
  unsigned n, done; /* bytes of text; arguments in it */
  char text[2000];
};
/* Before the call: its name and the arguments that say something by now. `c` may be NULL. */
void strace_enter(struct strace *s, struct user_thread *t, const struct call_info *c, uint64_t nr,
                  const uint64_t arg[6]);
/* After it: the rest, and the line is printed. */
void strace_leave(struct strace *s, struct user_thread *t, const struct call_info *c, const uint64_t arg[6],
                  int64_t r);

/* --- calls_shm.c --- */

/* Around a fork of the host process: no other thread holds its lock in the child. */
void user_shm_fork(bool before);

/* --- syscalls.c --- */

/* What is known of a request of ioctl(2), or NULL; and that one is not. */
const struct ioctl_info *user_ioctl_info(uint32_t request);
void user_unknown_ioctl(struct user_thread *t, uint32_t request);

#endif
