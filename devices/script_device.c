/* Devices written in a script: a window and an interrupt wire whose behaviour is somebody else's. */
#include "devices/device.h"

extern const struct device_ops script_device_ops;

static struct script_device *self(struct device *d) { return container_of(d, struct script_device, d); }

static int script_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  *value = 0;
  return self(d)->read ? self(d)->read(self(d)->opaque, off, size, value) : 0;
}

static int script_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  return self(d)->write ? self(d)->write(self(d)->opaque, off, size, value) : 0;
}

static void script_reset(struct device *d) {
  if (self(d)->reset) self(d)->reset(self(d)->opaque);
}

struct script_device *script_device(struct device *d) {
  return d && d->ops == &script_device_ops ? self(d) : NULL;
}

const struct device_ops script_device_ops = {
    .name = "script",
    .title = "device of a scenario",
    .size = sizeof(struct script_device),
    .sizes = 1 | 2 | 4 | 8,
    .reset = script_reset,
    .read = script_read,
    .write = script_write,
};
