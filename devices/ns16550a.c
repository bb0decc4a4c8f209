/* NS16550A UART (PC16550D data sheet, TI TL16C550). Transmission takes no time: the transmitter is empty again before
 * the write returns, so the THR-empty interrupt is raised at once. Baud rate and framing are stored, not enforced. */
#include <errno.h>

#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/props.h"

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4, IER_MODEM = 8 };
enum {
  IIR_NONE = 1,
  IIR_MODEM = 0,
  IIR_THRE = 2,
  IIR_RX = 4,
  IIR_LINE = 6,
  IIR_TIMEOUT = 12,
  IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_PE = 4, LSR_FE = 8, LSR_BI = 0x10, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_DELTA = 0x0f, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
#define FIFO_SIZE 16

struct uart {
  struct device d;
  uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
  uint8_t thre_pending; /* the THR-empty interrupt condition, cleared by reading IIR */
  uint8_t fifo[FIFO_SIZE], head, count;
  uint8_t shift; /* log2 of the register spacing */
};

static const struct device_field fields[] = {
    DEVICE_FIELD(struct uart, ier, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, fcr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, lcr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, mcr, MCR_OUT2, FIELD_HEX),
    DEVICE_FIELD(struct uart, lsr, LSR_THRE | LSR_TEMT, FIELD_HEX),
    DEVICE_FIELD(struct uart, msr, MSR_DCD | MSR_DSR | MSR_CTS, FIELD_HEX),
    DEVICE_FIELD(struct uart, scr, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, dll, 12, FIELD_HEX),
    DEVICE_FIELD(struct uart, dlm, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, thre_pending, 0, 0),
    DEVICE_ARRAY(struct uart, fifo, 0, FIELD_HEX),
    DEVICE_FIELD(struct uart, head, 0, 0),
    DEVICE_FIELD(struct uart, count, 0, 0),
};

static struct uart *uart(struct device *d) { return container_of(d, struct uart, d); }

static unsigned trigger(const struct uart *u) {
  static const uint8_t level[4] = {1, 4, 8, 14};
  return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* The highest-priority enabled condition, as the identification field of IIR. */
static uint8_t identify(const struct uart *u) {
  if ((u->ier & IER_LINE) && (u->lsr & (LSR_OE | LSR_PE | LSR_FE | LSR_BI))) return IIR_LINE;
  if ((u->ier & IER_RX) && u->count) return u->count >= trigger(u) ? IIR_RX : IIR_TIMEOUT;
  if ((u->ier & IER_THRE) && u->thre_pending) return IIR_THRE;
  if ((u->ier & IER_MODEM) && (u->msr & MSR_DELTA)) return IIR_MODEM;
  return IIR_NONE;
}

static void update(struct uart *u) {
  if (u->d.nirqs) irq_set(&u->d.irqs[0], identify(u) != IIR_NONE);
}

static unsigned depth(const struct uart *u) { return u->fcr & FCR_ENABLE ? FIFO_SIZE : 1; }

static void push(struct uart *u, uint8_t byte) {
  if (u->count >= depth(u)) {
    u->lsr |= LSR_OE;
    if (!(u->fcr & FCR_ENABLE))
      u->fifo[u->head] = byte; /* without a FIFO the new byte wins, with one it is lost */
    return;
  }
  u->fifo[(u->head + u->count++) % FIFO_SIZE] = byte;
  u->lsr |= LSR_DR;
}

static uint8_t pop(struct uart *u) {
  if (!u->count) return 0;
  uint8_t byte = u->fifo[u->head];
  u->head = (u->head + 1) % FIFO_SIZE;
  if (!--u->count) u->lsr &= (uint8_t)~LSR_DR;
  return byte;
}

static void clear_rx(struct uart *u) {
  u->head = u->count = 0;
  u->lsr &= (uint8_t) ~(LSR_DR | LSR_BI);
}

/* Modem inputs: a peer that is always ready, or the modem outputs themselves in loop-back. */
static void modem(struct uart *u) {
  uint8_t in = MSR_DCD | MSR_DSR | MSR_CTS;
  if (u->mcr & MCR_LOOP)
    in = (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                   (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
  uint8_t changed = (in ^ u->msr) & 0xf0;
  if (in & MSR_RI) changed &= (uint8_t)~MSR_RI; /* only the trailing edge of RI counts */
  u->msr = (uint8_t)(in | (u->msr & MSR_DELTA) | changed >> 4);
}

static int uart_read(struct device *d, uint64_t off, unsigned size, uint64_t *value) {
  struct uart *u = uart(d);
  (void)size;
  uint8_t v = 0;
  switch (off >> u->shift) {
  case RBR_THR:
    if (u->lcr & LCR_DLAB) {
      v = u->dll;
      break;
    }
    v = pop(u);
    if (!u->count) chardev_accept(d->chardev); /* a drained FIFO asks for more, so input comes in bursts */
    break;
  case IER: v = u->lcr & LCR_DLAB ? u->dlm : u->ier; break;
  case IIR_FCR:
    v = identify(u);
    if (v == IIR_THRE) u->thre_pending = 0;
    v |= u->fcr & FCR_ENABLE ? IIR_FIFO : 0;
    break;
  case LCR: v = u->lcr; break;
  case MCR: v = u->mcr; break;
  case LSR:
    v = u->lsr;
    u->lsr &= (uint8_t) ~(LSR_OE | LSR_PE | LSR_FE | LSR_BI);
    break;
  case MSR:
    v = u->msr;
    u->msr &= (uint8_t)~MSR_DELTA;
    break;
  case SCR: v = u->scr; break;
  default: break; /* the window is larger than the chip */
  }
  update(u);
  *value = v;
  return 0;
}

static int uart_write(struct device *d, uint64_t off, unsigned size, uint64_t value) {
  struct uart *u = uart(d);
  (void)size;
  uint8_t v = (uint8_t)value;
  switch (off >> u->shift) {
  case RBR_THR:
    if (u->lcr & LCR_DLAB) {
      u->dll = v;
      break;
    }
    if (u->mcr & MCR_LOOP) push(u, v);
    else chardev_write(d->chardev, &v, 1);
    u->thre_pending = 1;
    break;
  case IER:
    if (u->lcr & LCR_DLAB) {
      u->dlm = v;
      break;
    }
    if (!(u->ier & IER_THRE) && (v & IER_THRE))
      u->thre_pending = 1; /* enabling it while empty raises it again */
    u->ier = v & 0x0f;
    break;
  case IIR_FCR:
    if ((u->fcr ^ v) & FCR_ENABLE) v |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    if (v & FCR_CLEAR_RX) clear_rx(u);
    if (v & FCR_CLEAR_TX) u->thre_pending = 1;
    u->fcr = v & FCR_ENABLE ? v & 0xc9 : 0;
    chardev_accept(d->chardev);
    break;
  case LCR: u->lcr = v; break;
  case MCR:
    u->mcr = v & 0x1f;
    modem(u);
    chardev_accept(d->chardev);
    break;
  case SCR: u->scr = v; break;
  default: break; /* LSR and MSR are read-only */
  }
  update(u);
  return 0;
}

static bool uart_getc(struct device *d, uint8_t *byte) {
  struct uart *u = uart(d);
  if (!u->count) return false;
  *byte = pop(u);
  if (!u->count) chardev_accept(d->chardev);
  update(u);
  return true;
}

static size_t front_room(void *opaque) {
  struct uart *u = opaque;
  return u->mcr & MCR_LOOP ? 0 : depth(u) - (u->count < depth(u) ? u->count : depth(u));
}

static void front_receive(void *opaque, const uint8_t *bytes, size_t n) {
  struct uart *u = opaque;
  while (n--) push(u, *bytes++);
  update(u);
}

static const struct chardev_front front = {.room = front_room, .receive = front_receive};

static int create(struct device *d, const struct prop *props) {
  struct uart *u = uart(d);
  uint64_t shift;
  int rc = prop_int(props, "reg_shift", 0, 0, 3, &shift);
  if (rc) return rc;
  u->shift = (uint8_t)shift;
  chardev_attach(d->chardev, &front, u);
  return 0;
}

static void reset(struct device *d) { chardev_accept(d->chardev); }

static void destroy(struct device *d) { chardev_attach(d->chardev, NULL, NULL); }

const struct device_ops ns16550a_ops = {
    .name = "ns16550a",
    .title = "NS16550A UART",
    .size = sizeof(struct uart),
    .fields = fields,
    .nfields = ARRAY_SIZE(fields),
    .sizes = 1 | 2 | 4 | 8,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = uart_read,
    .write = uart_write,
    .getc = uart_getc,
};
