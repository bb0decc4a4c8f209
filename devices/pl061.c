/* PrimeCell GPIO PL061 (Arm DDI 0190B): eight pins. Its inputs are wires of other devices and scripts (the power key is one);
 * pins that are outputs drive nothing. */
#include "devices/device.h"
#include "devices/primecell.h"

enum {
  DIR_ = 0x400,
  IS = 0x404,
  IBE = 0x408,
  IEV = 0x40c,
  IE = 0x410,
  RIS = 0x414,
  MIS = 0x418,
  IC = 0x41c,
  AFSEL = 0x420
};
#define PART 0x00041061

struct gpio {
  struct device d;
  uint8_t data, dir, is, ibe, iev, ie, ris, afsel; /* data: outputs; is: level-sensitive */
  uint8_t in;                                      /* what the wires say */
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct gpio, data, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, dir, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, is, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, ibe, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, iev, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, ie, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, ris, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, afsel, 0, FIELD_HEX),
    DEVICE_FIELD(struct gpio, in, 0, FIELD_HEX | FIELD_KEEP),
};

static struct gpio *gpio(struct device *d) { return container_of(d, struct gpio, d); }

static uint8_t pins(const struct gpio *g) { return (uint8_t)((g->data & g->dir) | (g->in & ~g->dir)); }

/* `was`: the pins before the change that led here. 3.3.3: IBE, else IEV chooses the edge, IS the level. */
static void update(struct gpio *g, uint8_t was) {
  const uint8_t now = pins(g), rose = now & ~was, fell = was & ~now;
  const uint8_t edges = (uint8_t)((rose & (g->ibe | g->iev)) | (fell & (g->ibe | ~g->iev)));
  const uint8_t levels = (uint8_t) ~(now ^ g->iev);
  g->ris |= edges & ~g->is;
  g->ris = (uint8_t)((g->ris & ~g->is) | (levels & g->is));
  if (g->d.nirqs) irq_set(&g->d.irqs[0], g->ris & g->ie);
}

static int gpio_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  const struct gpio *g = gpio(d);
  (void)size;
  if (off < DIR_) { /* the address says which pins */
    *value = pins(g) & off >> 2;
    return 0;
  }
  switch (off) {
  case DIR_: *value = g->dir; break;
  case IS: *value = g->is; break;
  case IBE: *value = g->ibe; break;
  case IEV: *value = g->iev; break;
  case IE: *value = g->ie; break;
  case RIS: *value = g->ris; break;
  case MIS: *value = g->ris & g->ie; break;
  case AFSEL: *value = g->afsel; break;
  default: *value = primecell_id(off, PART); break;
  }
  return 0;
}

static int gpio_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct gpio *g = gpio(d);
  const uint8_t was = pins(g), v = (uint8_t)value, mask = (uint8_t)(off >> 2);
  (void)size;
  switch (off < DIR_ ? 0 : off) {
  case 0: g->data = (uint8_t)((g->data & ~mask) | (v & mask)); break;
  case DIR_: g->dir = v; break;
  case IS: g->is = v; break;
  case IBE: g->ibe = v; break;
  case IEV: g->iev = v; break;
  case IE: g->ie = v; break;
  case IC: g->ris &= (uint8_t)~v; break;
  case AFSEL: g->afsel = v; break;
  default: break;
  }
  update(g, was);
  return 0;
}

static unsigned ninputs(struct device *d) {
  (void)d;
  return 8;
}

static void input(struct device *d, unsigned line, bool level) {
  struct gpio *g = gpio(d);
  const uint8_t was = pins(g);
  g->in = (uint8_t)((g->in & ~(1u << line)) | (unsigned)level << line);
  update(g, was);
}

const struct device_ops pl061_ops = {
    .name = "pl061",
    .title = "PrimeCell GPIO PL061",
    .size = sizeof(struct gpio),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 1 | 4,
    .read = gpio_read,
    .write = gpio_write,
    .ninputs = ninputs,
    .input = input,
};
