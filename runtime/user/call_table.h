/* The tables that the description of Linux's system calls (isa/common/linux.yaml) is compiled to. They are in
 * out/gen/user_calls.c, which is made from the kernel's headers alone: no header of the C library here. */
#ifndef ISOMER_USER_CALL_TABLE_H
#define ISOMER_USER_CALL_TABLE_H

#include "core/types.h"
#include "user_calls.h"

typedef int64_t call_fn(struct user_thread *t, const uint64_t arg[6]);

enum arg_kind {
  ARG_VOID,
  ARG_INT,
  ARG_UINT,
  ARG_LONG,
  ARG_ULONG,
  ARG_HEX,
  ARG_SIZE,
  ARG_OFF,
  ARG_MODE,
  ARG_PID,
  ARG_PTR,
  ARG_SET, /* values up to here */
  ARG_FD,
  ARG_DIRFD,
  ARG_PATH,
  ARG_LINK,
  ARG_NEW,
  ARG_STRING,
  ARG_MEM,
  ARG_STRUCT,
  ARG_IOVEC,
};
enum { ARG_IN = 1, ARG_OUT = 2 };

struct arg_info {
  const char *name;
  uint8_t kind; /* ARG_* */
  uint8_t dir;  /* ARG_IN, ARG_OUT: what the kernel does with what a pointer points to */
  uint8_t len;  /* 1 + the argument that has the number of elements, 0: `n` is it */
  bool len_ptr; /* that argument points to it */
  uint16_t n;
  uint16_t type;  /* SET_*, STRUCT_* */
  uint16_t width; /* bytes per element */
};

enum { CALL_NONE = 1 /* ENOSYS */, CALL_NORETURN = 2 };

struct call_info {
  const char *name;
  call_fn *fn; /* NULL: the host's kernel, or `via`, or `error` */
  int32_t host;
  uint8_t nargs, flags;
  uint8_t result, result_set; /* ARG_* */
  uint16_t error;             /* always this; 0: none */
  uint16_t via;               /* CALL_* of the call that it means, 0: none */
  struct arg_info arg[6];
  struct {
    uint8_t arg; /* 1 + own argument, or 0 */
    int32_t value;
  } to[6]; /* arguments of `via` */
};
extern const struct call_info user_calls[CALLS]; /* by CALL_*; [0] is no call */

/* Byte offset and width; width 0: not there. */
struct member {
  uint16_t off, width;
};
struct shown {
  const char *name;
  struct member host;
};
struct struct_info {
  const char *name;
  uint16_t size; /* the host's */
  uint16_t nshown, nmembers;
  const struct shown *shown;
  const struct member *host; /* members, when layouts differ between ISAs; else NULL */
};
extern const struct struct_info user_structs[STRUCTS];

struct set_value {
  const char *name;
  uint64_t mask, value; /* the host's */
};
struct set_info {
  const char *name;
  unsigned n;
  const struct set_value *value;
};
extern const struct set_info user_sets[SETS];

struct ioctl_info {
  const char *name;
  uint32_t request;
  struct arg_info arg;
};
extern const struct ioctl_info user_ioctls[];
extern const unsigned user_nioctls;

/* A struct as an ISA lays it out: members parallel to struct_info.host. */
struct layout {
  uint16_t size;
  const struct member *member;
};
struct set_pair {
  uint64_t guest, host;
};
struct set_map {
  unsigned n;
  const struct set_pair *pair;
};

/* What system calls of one ISA look like. */
struct user_abi {
  const char *isa;
  const char *uts; /* uname's machine */
  unsigned numbers;
  const uint16_t *call;         /* by number: CALL_*, 0: none */
  const struct layout *layouts; /* by STRUCT_*: size 0 when it is the host's */
  const struct set_map *sets;   /* by SET_*: n 0 when it is the host's */
  const uint8_t (*order)[6];    /* by CALL_*: where generic argument i is, 1 + index; 0: in its place */
};
extern const struct user_abi *const user_abis[]; /* ends with NULL */

#endif
