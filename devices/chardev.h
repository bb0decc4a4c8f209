/* Character back ends: where a serial port's or console's bytes go to and come from. A back end pushes input into its
 * front end (the device) as far as that has room, and is told when there is room again. */
#ifndef ISOMER_DEVICES_CHARDEV_H
#define ISOMER_DEVICES_CHARDEV_H

#include "core/machine.h"

struct chardev;

struct chardev_ops {
  const char *name;
  /* Writes all n bytes, waiting if it must; what cannot be delivered is dropped after one message. */
  void (*write)(struct chardev *c, const uint8_t *bytes, size_t n);
  void (*accept)(struct chardev *c); /* the front end has room again; may be NULL */
  void (*destroy)(struct chardev *c);
};

/* The front end's side. Both are called with the machine lock held. */
struct chardev_front {
  size_t (*room)(void *opaque);                                  /* bytes it can take now */
  void (*receive)(void *opaque, const uint8_t *bytes, size_t n); /* n <= room */
};

struct chardev {
  const struct chardev_ops *ops;
  struct machine *machine;
  const struct chardev_front *front;
  void *front_opaque;
};

/* Opens a back end from its text: `stdio` (at most one per process), `null`, `file:PATH` (output only, created or
 * truncated), or `script` (kept in memory, see below). 0 with *out owned by the caller, or -errno with a message logged. */
int chardev_open(struct machine *m, const char *spec, struct chardev **out);
void chardev_free(struct chardev *c);

/* Connects the front end; input flows from now on. c may be NULL in these three: nothing is written, nothing comes. */
void chardev_attach(struct chardev *c, const struct chardev_front *front, void *opaque);
void chardev_write(struct chardev *c, const uint8_t *bytes, size_t n);
void chardev_accept(struct chardev *c);

/* Back ends with files of their own. */
int chardev_stdio_open(struct machine *m, struct chardev **out);
/* The terminal as it was before chardev_stdio_open, if it is ours to set now. Async-signal-safe; harmless at any time. */
void chardev_stdio_restore(void);

/* The `script` back end: output is collected, input comes from chardev_script_send as fast as the guest takes it. */
struct chardev_script {
  struct chardev c;
  char *out; /* everything the guest wrote, `nout` bytes; owned */
  size_t nout, cap, lost;
  int tee;     /* a descriptor that gets a copy, or -1 */
  uint8_t *in; /* not yet taken: nin bytes */
  size_t nin, in_cap;
  void (*written)(void *opaque); /* after output arrived; may be NULL */
  void *opaque;
};
int chardev_script_open(struct machine *m, struct chardev **out);
/* The back end, or NULL when it is of another kind. */
struct chardev_script *chardev_script(struct chardev *c);
int chardev_script_send(struct chardev_script *s, const void *bytes, size_t n); /* -ENOMEM */

/* The escape keys of the stdio back end, as a state machine over input bytes. Returns how many of n bytes remain for
 * the guest in `bytes` (in place); keys act on m (Ctrl-A x ends it) or print to stderr. *escaped is its state. */
size_t chardev_keys(struct machine *m, bool *escaped, uint8_t *bytes, size_t n);

#endif
