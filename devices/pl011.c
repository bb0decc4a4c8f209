/* PrimeCell UART PL011 r1p5 (Arm DDI 0183G). Transmission takes no time; baud rate and framing are stored, not enforced. DMA and
 * IrDA are not there. */
#include <errno.h>

#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/primecell.h"

enum { DR = 0x00, RSR = 0x04, FR = 0x18, ILPR = 0x20, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30 };
enum { IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48, ID_FIRST = 0xfe0 };
enum { FR_RXFE = 0x10, FR_RXFF = 0x40, FR_TXFE = 0x80 };
enum { LCR_FEN = 0x10 };
enum { CR_UARTEN = 1, CR_LBE = 0x80, CR_TXE = 0x100, CR_RXE = 0x200 };
enum { INT_RX = 0x10, INT_TX = 0x20, INT_RT = 0x40, INT_OE = 0x400, INT_ALL = 0x7ff };
enum { RSR_OE = 8, DR_OE = 0x800 };
#define PART      0x00341011
#define FIFO_SIZE 16

struct uart {
  struct device d;
  uint16_t lcr_h, cr, imsc, ris;
  uint8_t ifls, rsr, ilpr, fbrd, dmacr;
  uint16_t ibrd;
  uint8_t fifo[FIFO_SIZE], head, count;
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct uart, lcr_h, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, cr, CR_TXE | CR_RXE, FIELD_HEX),
    DEVICE_FIELD(struct uart, imsc, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, ris, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, ifls, 0x12, FIELD_HEX),
    DEVICE_FIELD(struct uart, rsr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, ilpr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, fbrd, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, dmacr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, ibrd, 0, FIELD_HEX),
    DEVICE_ARRAY(struct uart, fifo, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, head, 0, 0),
    DEVICE_FIELD(struct uart, count, 0, 0),
};

static struct uart *uart(struct device *d) { return container_of(d, struct uart, d); }

static void update(struct uart *u) {
  if (u->d.nirqs) irq_set(&u->d.irqs[0], (u->ris & u->imsc) != 0);
}

static unsigned depth(const struct uart *u) { return u->lcr_h & LCR_FEN ? FIFO_SIZE : 1; }

/* 3.4.2: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO */
static unsigned trigger(const struct uart *u) {
  static const uint8_t level[8] = {2, 4, 8, 12, 14, 14, 14, 14};
  return u->lcr_h & LCR_FEN ? level[u->ifls >> 3 & 7] : 1;
}

/* Fewer bytes than the trigger are reported by the receive time-out, which comes at once: a pause ends every burst. */
static void received(struct uart *u) {
  if (u->count >= trigger(u)) u->ris |= INT_RX;
  else if (u->count) u->ris |= INT_RT;
}

static void push(struct uart *u, uint8_t byte) {
  if (u->count >= depth(u)) {
    u->ris |= INT_OE;
    u->rsr |= RSR_OE;
    return;
  }
  u->fifo[(u->head + u->count++) % FIFO_SIZE] = byte;
}

static uint8_t pop(struct uart *u) {
  if (!u->count) return 0;
  uint8_t byte = u->fifo[u->head];
  u->head = (u->head + 1) % FIFO_SIZE;
  u->count--;
  if (u->count < trigger(u)) u->ris &= (uint16_t)~INT_RX;
  if (!u->count) u->ris &= (uint16_t)~INT_RT;
  return byte;
}

static int pl011_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct uart *u = uart(d);
  (void)size;
  *value = 0;
  switch (off & ~3ull) {
  case DR:
    *value = pop(u);
    if (!u->count) chardev_accept(d->chardev); /* a drained FIFO asks for more, so input comes in bursts */
    break;
  case RSR: *value = u->rsr; break;
  case FR: *value = FR_TXFE | (u->count ? 0 : FR_RXFE) | (u->count >= depth(u) ? FR_RXFF : 0); break;
  case ILPR: *value = u->ilpr; break;
  case IBRD: *value = u->ibrd; break;
  case FBRD: *value = u->fbrd; break;
  case LCR_H: *value = u->lcr_h; break;
  case CR: *value = u->cr; break;
  case IFLS: *value = u->ifls; break;
  case IMSC: *value = u->imsc; break;
  case RIS: *value = u->ris; break;
  case MIS: *value = u->ris & u->imsc; break;
  case DMACR: *value = u->dmacr; break;
  default: *value = primecell_id(off, PART); break;
  }
  update(u);
  return 0;
}

static int pl011_write(struct device *d, uint64_t off, unsigned size, uint64_t v) {
  struct uart *u = uart(d);
  (void)size;
  uint8_t byte = (uint8_t)v;
  switch (off & ~3ull) {
  case DR:
    if (u->cr & CR_LBE) {
      push(u, byte);
      received(u);
    } else {
      chardev_write(d->chardev, &byte, 1); /* whatever CR says: early consoles do not enable the port */
    }
    u->ris |= INT_TX; /* the FIFO fell below its trigger again */
    break;
  case RSR: u->rsr = 0; break;
  case ILPR: u->ilpr = byte; break;
  case IBRD: u->ibrd = (uint16_t)v; break;
  case FBRD: u->fbrd = v & 0x3f; break;
  case LCR_H:
    if ((u->lcr_h ^ v) & LCR_FEN) u->head = u->count = 0;
    u->lcr_h = v & 0xff;
    chardev_accept(d->chardev);
    break;
  case CR:
    u->cr = v & 0xff87;
    chardev_accept(d->chardev);
    break;
  case IFLS:
    u->ifls = v & 0x3f;
    received(u);
    break;
  case IMSC: u->imsc = v & INT_ALL; break;
  case ICR: u->ris &= (uint16_t)~v; break;
  case DMACR: u->dmacr = v & 7; break;
  default: break; /* the rest is read-only */
  }
  update(u);
  return 0;
}

static bool pl011_getc(struct device *d, uint8_t *byte) {
  struct uart *u = uart(d);
  if (!u->count) return false;
  *byte = pop(u);
  if (!u->count) chardev_accept(d->chardev);
  update(u);
  return true;
}

static size_t front_room(void *opaque) {
  const struct uart *u = opaque;
  if (u->cr & CR_LBE || !(u->cr & CR_RXE)) return 0;
  return depth(u) - (u->count < depth(u) ? u->count : depth(u));
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n) {
  struct uart *u = opaque;
  while (n--) push(u, *bytes++);
  received(u);
  update(u);
}

static const struct chardev_front front = {.room = front_room, .receive = front_receive};

static int create(struct device *d, const struct prop *props) {
  (void)props;
  chardev_attach(d->chardev, &front, uart(d));
  return 0;
}

static void reset(struct device *d) { chardev_accept(d->chardev); }

static void destroy(struct device *d) { chardev_attach(d->chardev, NULL, NULL); }

const struct device_ops pl011_ops = {
    .name = "pl011",
    .title = "PrimeCell UART PL011",
    .size = sizeof(struct uart),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 1 | 2 | 4,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = pl011_read,
    .write = pl011_write,
    .getc = pl011_getc,
};
