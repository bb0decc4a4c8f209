/* What every device is: an ops table, one field table that describes its state, and interrupt wires. A device sees its
 * machine and its dma_space, never a board, an ISA or host memory of the guest. */
#ifndef ISOMER_DEVICES_DEVICE_H
#define ISOMER_DEVICES_DEVICE_H

#include "core/machine.h"
#include "mem/phys.h"

struct chardev;
struct device;
struct prop;

/* An interrupt wire from a device to an input of an interrupt controller or vCPU. An unconnected wire has set == NULL. */
struct irq {
  void (*set)(void *opaque, unsigned line, bool level);
  void *opaque;
  unsigned line;
  bool level; /* last level driven */
};

/* Drives the wire; nothing happens when the level does not change. Call with the machine lock held. */
void irq_set(struct irq *q, bool level);

/* One member of a device's state. The table drives reset, printing and everything later that reads or writes state
 * from outside (snapshots, scripts). */
struct device_field {
  const char *name;
  uint32_t offset; /* bytes from the start of the device's structure */
  uint8_t width;   /* bytes of one element: 1, 2, 4 or 8 */
  uint16_t count;  /* elements; 1 for a scalar */
  uint16_t flags;  /* FIELD_* */
  uint64_t reset;  /* value of every element after reset */
};
enum {
  FIELD_HEX = 1,  /* printed in hexadecimal */
  FIELD_KEEP = 2, /* survives a reset (configuration, wall-clock offsets) */
};
#define DEVICE_FIELD(type, member, reset_, flags_) \
  { #member, offsetof(type, member), sizeof(((type *)0)->member), 1, (flags_), (reset_) }
#define DEVICE_ARRAY(type, member, reset_, flags_)                                       \
  {                                                                                      \
#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                     \
        sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), (flags_), (reset_) \
  }

/* Is shown a piece of state: to be copied, compared, or overwritten by what was copied before. */
typedef void state_fn(void *arg, void *at, size_t n);

struct device_ops {
  const char *name;  /* as boards spell it */
  const char *title; /* one line for people */
  size_t size;       /* of the structure that starts with struct device */
  const struct device_field *fields;
  unsigned nfields;
  uint8_t sizes; /* access sizes it decodes, OR of 1, 2, 4, 8; accesses must be aligned */
  /* Takes properties, allocates what outlives a reset. -errno with a message logged. */
  int (*create)(struct device *d, const struct prop *props);
  void (*destroy)(struct device *d); /* frees what create made; also called after a failed create */
  void (*reset)(struct device *d);   /* after the fields got their reset values */
  /* Off is inside the window, size one of `sizes`, off aligned to it. 0 or -EINVAL (bus fault). Machine lock held. */
  int (*read)(struct device *d, uint64_t off, unsigned size, uint64_t *value);
  int (*write)(struct device *d, uint64_t off, unsigned size, uint64_t value);
  /* State that the field table does not hold, pieces in a fixed order; may be NULL. */
  void (*visit)(struct device *d, state_fn *fn, void *arg);
  /* For serial ports: takes one received byte on behalf of firmware; false when there is none. Machine lock held. */
  bool (*getc)(struct device *d, uint8_t *byte);
  /* For interrupt controllers: number of inputs and the level change of one. Machine lock held. */
  unsigned (*ninputs)(struct device *d);
  void (*input)(struct device *d, unsigned line, bool level);
};

struct device {
  const struct device_ops *ops;
  const char *id; /* unique in its board, owned */
  struct machine *machine;
  struct dma_space *dma;   /* not owned */
  struct chardev *chardev; /* not owned; NULL when the board gives none */
  gpa_t base;              /* window; size 0 when the device has none */
  uint64_t size;
  struct irq *irqs; /* outputs, wired by the board before create; owned */
  unsigned nirqs;
};

/* Where a new device sits. Strings are copied; `irqs` (nirqs entries) too. */
struct device_site {
  const char *id;
  struct dma_space *dma;
  struct chardev *chardev;
  gpa_t base;
  uint64_t size;
  const struct irq *irqs;
  unsigned nirqs;
};

/* Creates the device, maps its window into m->phys and resets it. `props` (may be NULL) is only used during the call.
 * 0 with *out owned by the caller (device_free), or -errno with a message logged. */
int device_new(struct machine *m, const struct device_ops *ops, const struct device_site *site,
               const struct prop *props, struct device **out);
/* The window must not be reached any more: the machine's vCPUs are stopped. */
void device_free(struct device *d);
void device_reset(struct device *d);
/* Shows all state: fields, levels of outputs, and what `visit` adds. */
void device_visit(struct device *d, state_fn *fn, void *arg);

/* State by name. -ENOENT: no such field; -ERANGE: index or value out of range. */
int device_field_get(const struct device *d, const char *name, unsigned index, uint64_t *value);
int device_field_set(struct device *d, const char *name, unsigned index, uint64_t value);
/* Writes one `name = value` line per field to buf; returns the length as snprintf does. */
size_t device_print(const struct device *d, char *buf, size_t n);

/* The wire into input `line` of an interrupt controller. -EINVAL when it is none or has no such input. */
int device_input_irq(struct device *controller, unsigned line, struct irq *out);

/* The `script` kind: behaviour comes from whoever sets these after the board was made. Without it reads are 0. Return
 * values as in device_ops. */
struct script_device {
  struct device d;
  int (*read)(void *opaque, uint64_t off, unsigned size, uint64_t *value);
  int (*write)(void *opaque, uint64_t off, unsigned size, uint64_t value);
  void (*reset)(void *opaque);
  void *opaque;
};
struct script_device *script_device(struct device *d); /* NULL when it is of another kind */

/* All device kinds, NULL-terminated, and one by name (NULL when there is none). */
extern const struct device_ops *const device_list[];
const struct device_ops *device_find(const char *name);

#endif
