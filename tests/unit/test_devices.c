/* The simple devices through their registers. Expected values come from the data sheets and specifications that the
 * device files cite. */
#include <errno.h>
#include <unistd.h>

#include "core/clock.h"
#include "device_rig.h"
#include "devices/htif.h"

/* ---- UART ---- */

static void uart_reset_values(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  assert_int_equal(rd(r, 1, 1), 0x00);
  assert_int_equal(rd(r, 2, 1), 0x01); /* no interrupt pending */
  assert_int_equal(rd(r, 3, 1), 0x00);
  assert_int_equal(rd(r, 5, 1), 0x60); /* transmitter empty */
  assert_int_equal(rd(r, 6, 1) & 0xb0, 0xb0);
  rig_free(r);
}

static void uart_transmits(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  for (const char *p = "hello"; *p; p++) wr(r, 0, 1, (uint64_t)*p);
  assert_int_equal(r->nout, 5);
  assert_memory_equal(r->out, "hello", 5);
  wr(r, 3, 1, 0x83); /* DLAB: no character leaves, the divisor is stored */
  wr(r, 0, 1, 0x34);
  wr(r, 1, 1, 0x12);
  assert_int_equal(rd(r, 0, 1), 0x34);
  assert_int_equal(rd(r, 1, 1), 0x12);
  wr(r, 3, 1, 3);
  assert_int_equal(r->nout, 5);
  assert_int_equal(rd(r, 1, 1), 0); /* IER untouched */
  rig_free(r);
}

/* What drivers test for at start-up: enabling the THRE interrupt while the transmitter is empty raises it, reading IIR
 * takes it back, enabling it anew raises it again. */
static void uart_thre_interrupt(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  wr(r, 1, 1, 2);
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 2);
  assert_false(r->level[0]);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 1);
  wr(r, 1, 1, 0);
  wr(r, 1, 1, 2);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 2);
  wr(r, 0, 1, 'x');
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 2);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 1);
  wr(r, 0, 1, 'y');
  wr(r, 1, 1, 0);
  assert_false(r->level[0]);
  rig_free(r);
}

static void uart_receives(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  wr(r, 2, 1, 0x81); /* FIFO on, trigger 8 */
  assert_int_equal(rd(r, 2, 1), 0xc1);
  wr(r, 1, 1, 1);
  rig_type(r, "abc");
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 2, 1), 0xcc); /* below the trigger: time-out indication */
  rig_type(r, "defgh");
  assert_int_equal(rd(r, 2, 1), 0xc4);
  assert_int_equal(rd(r, 5, 1) & 1, 1);
  for (const char *p = "abcdefgh"; *p; p++) assert_int_equal(rd(r, 0, 1), *p);
  assert_int_equal(rd(r, 5, 1) & 3, 0);
  assert_false(r->level[0]);
  rig_free(r);
}

/* More input than the FIFO holds waits in the back end: nothing is lost and no overrun is reported. */
static void uart_back_pressure(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  char text[101] = "", got[101] = "";
  for (unsigned i = 0; i < 100; i++) text[i] = (char)('!' + i % 90);
  wr(r, 2, 1, 1);
  rig_type(r, text);
  assert_int_equal(r->taken, 16);
  for (unsigned i = 0; i < 100; i++) {
    assert_int_equal(rd(r, 5, 1) & 3, 1);
    got[i] = (char)rd(r, 0, 1);
  }
  assert_string_equal(got, text);
  assert_int_equal(rd(r, 5, 1) & 1, 0);
  rig_free(r);
}

static void uart_without_fifo(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  wr(r, 1, 1, 1);
  rig_type(r, "ab");
  assert_int_equal(r->taken, 1);
  assert_int_equal(rd(r, 2, 1), 0x04);
  assert_int_equal(rd(r, 0, 1), 'a');
  assert_int_equal(rd(r, 0, 1), 'b');
  rig_free(r);
}

static void uart_loop_back(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  rd(r, 6, 1);
  wr(r, 4, 1, 0x1a); /* loop, OUT2, RTS: drivers probe with this value and expect DCD and CTS */
  assert_int_equal(rd(r, 6, 1) & 0xf0, 0x90);
  wr(r, 0, 1, 'L');
  assert_int_equal(r->nout, 0);
  assert_int_equal(rd(r, 0, 1), 'L');
  wr(r, 0, 1, '1');
  wr(r, 0, 1, '2');
  assert_int_equal(rd(r, 5, 1) & 2, 2); /* overrun, cleared by reading */
  assert_int_equal(rd(r, 5, 1) & 2, 0);
  wr(r, 4, 1, 0x08);
  assert_int_equal(rd(r, 6, 1) & 0xf0, 0xb0);
  rig_free(r);
}

static void uart_modem_interrupt(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  wr(r, 4, 1, 0x10);
  rd(r, 6, 1);
  wr(r, 1, 1, 8);
  assert_false(r->level[0]);
  wr(r, 4, 1, 0x12); /* RTS looped to CTS: it changed */
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 2, 1) & 0x0f, 0);
  assert_int_equal(rd(r, 6, 1), 0x11);
  assert_false(r->level[0]);
  rig_free(r);
}

static void uart_fifo_reset(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  wr(r, 2, 1, 1);
  rig_type(r, "abc");
  wr(r, 2, 1, 3);
  assert_int_equal(rd(r, 5, 1) & 1, 0);
  rig_type(r, "z");
  assert_int_equal(rd(r, 0, 1), 'z');
  rig_free(r);
}

/* ---- Fields ---- */

static void fields_drive_reset_and_access(void **state) {
  (void)state;
  struct rig *r = rig_new("ns16550a", 1, NULL);
  uint64_t v;
  char text[512];
  wr(r, 7, 1, 0x5a);
  assert_int_equal(device_field_get(r->d, "scr", 0, &v), 0);
  assert_int_equal(v, 0x5a);
  assert_int_equal(device_field_set(r->d, "scr", 0, 0x77), 0);
  assert_int_equal(rd(r, 7, 1), 0x77);
  assert_int_equal(device_field_set(r->d, "scr", 0, 0x100), -ERANGE);
  assert_int_equal(device_field_set(r->d, "scr", 1, 0), -ERANGE);
  assert_int_equal(device_field_get(r->d, "nonsense", 0, &v), -ENOENT);
  size_t n = device_print(r->d, text, sizeof text);
  assert_true(n < sizeof text);
  assert_non_null(strstr(text, "scr = 0x77\n"));
  assert_int_equal(device_print(r->d, NULL, 0), n);
  wr(r, 1, 1, 2);
  assert_true(r->level[0]);
  device_reset(r->d);
  assert_false(r->level[0]);
  assert_int_equal(rd(r, 7, 1), 0);
  assert_int_equal(rd(r, 5, 1), 0x60);
  rig_free(r);
}

static void access_size_and_alignment(void **state) {
  (void)state;
  struct rig *r = rig_new("plic", 2, NULL);
  uint64_t v;
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE, 1, &v), -EINVAL);
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE, 8, &v), -EINVAL);
  assert_int_equal(phys_mmio_read(r->m->phys, RIG_BASE + 2, 4, &v), -EINVAL);
  assert_int_equal(phys_mmio_write(r->m->phys, RIG_BASE + 4, 2, 0), -EINVAL);
  rig_free(r);
}

/* ---- ACLINT ---- */

static void aclint_software_interrupts(void **state) {
  (void)state;
  struct rig *r = rig_new("aclint", 4, NULL);
  wr(r, 4, 4, 0xffffffff);
  assert_int_equal(rd(r, 4, 4), 1);
  assert_true(r->level[2]);
  assert_false(r->level[0]);
  wr(r, 4, 4, 0xfffffffe);
  assert_false(r->level[2]);
  wr(r, 8, 4, 1); /* no third hart */
  assert_int_equal(rd(r, 8, 4), 0);
  rig_free(r);
}

static void aclint_timer(void **state) {
  (void)state;
  struct rig *r = rig_new("aclint", 2, NULL);
  assert_false(r->level[1]);
  uint64_t a = rd(r, 0xbff8, 8), host = machine_now(r->m) / 100;
  assert_true(host >= a && host - a < 10000000); /* 10 MHz */
  wr(r, 0x4000, 8, a);
  assert_true(r->level[1]); /* already due */
  wr(r, 0x4000, 4, 0xffffffff);
  wr(r, 0x4004, 4, 0xffffffff);
  assert_int_equal(rd(r, 0x4000, 8), UINT64_MAX);
  assert_int_equal(rd(r, 0x4004, 4), 0xffffffff);
  assert_false(r->level[1]);
  assert_int_equal(loop_start(r->m), 0);
  uint64_t due = rd(r, 0xbff8, 8) + 200000; /* in 20 ms */
  wr(r, 0x4000, 8, due);
  assert_false(r->level[1]);
  for (unsigned i = 0; i < 200 && !__atomic_load_n(&r->level[1], __ATOMIC_SEQ_CST); i++) usleep(5000);
  loop_stop(r->m);
  assert_true(r->level[1]);
  assert_true(rd(r, 0xbff8, 8) >= due);
  rig_free(r);
}

static void aclint_mtime_is_writable(void **state) {
  (void)state;
  struct rig *r = rig_new("aclint", 2, NULL);
  wr(r, 0x4000, 8, 0x1000000000000);
  wr(r, 0xbff8, 8, 0xf00000000000); /* well before: the clock goes on meanwhile */
  assert_false(r->level[1]);
  wr(r, 0xbffc, 4, 0x20000);
  assert_true(r->level[1]);
  assert_int_equal(rd(r, 0xbffc, 4), 0x20000);
  wr(r, 0xbff8, 8, 0);
  assert_false(r->level[1]);
  rig_free(r);
}

/* ---- PLIC ---- */

#define PRIO(s)      (4ull * (s))
#define PENDING(w)   (0x1000 + 4ull * (w))
#define ENABLE(c, w) (0x2000 + 0x80ull * (c) + 4ull * (w))
#define THRESH(c)    (0x200000 + 0x1000ull * (c))
#define CLAIM(c)     (0x200004 + 0x1000ull * (c))

static void plic_input(struct rig *r, unsigned source, bool level) {
  struct irq wire;
  assert_int_equal(device_input_irq(r->d, source, &wire), 0);
  wire.set(wire.opaque, wire.line, level);
}

static void plic_claim_and_complete(void **state) {
  (void)state;
  struct rig *r = rig_new("plic", 2, NULL);
  plic_input(r, 10, true);
  assert_int_equal(rd(r, PENDING(0), 4), 1 << 10);
  assert_false(r->level[1]); /* priority 0 never interrupts */
  wr(r, PRIO(10), 4, 3);
  wr(r, ENABLE(1, 0), 4, 0xffffffff);
  assert_int_equal(rd(r, ENABLE(1, 0), 4), 0xfffffffe); /* source 0 does not exist */
  assert_true(r->level[1]);
  assert_false(r->level[0]);
  wr(r, THRESH(1), 4, 3);
  assert_false(r->level[1]);
  wr(r, THRESH(1), 4, 2);
  assert_true(r->level[1]);
  assert_int_equal(rd(r, CLAIM(1), 4), 10);
  assert_false(r->level[1]);
  assert_int_equal(rd(r, PENDING(0), 4), 0);
  assert_int_equal(rd(r, CLAIM(1), 4), 0);
  wr(r, CLAIM(1), 4, 10); /* the line is still high: it asks again */
  assert_true(r->level[1]);
  assert_int_equal(rd(r, CLAIM(1), 4), 10);
  plic_input(r, 10, false);
  wr(r, CLAIM(1), 4, 10);
  assert_false(r->level[1]);
  rig_free(r);
}

static void plic_priorities(void **state) {
  (void)state;
  struct rig *r = rig_new("plic", 2, NULL);
  wr(r, ENABLE(0, 0), 4, 0xffffffff);
  wr(r, ENABLE(0, 1), 4, 0xffffffff);
  for (unsigned s = 1; s < 64; s++) wr(r, PRIO(s), 4, s == 40 ? 7 : 2);
  plic_input(r, 33, true);
  plic_input(r, 5, true);
  plic_input(r, 40, true);
  assert_int_equal(rd(r, CLAIM(0), 4), 40);
  assert_int_equal(rd(r, CLAIM(0), 4), 5); /* ties: lowest number */
  assert_int_equal(rd(r, CLAIM(0), 4), 33);
  assert_int_equal(rd(r, CLAIM(0), 4), 0);
  wr(r, PRIO(1), 4, 0xff);
  assert_int_equal(rd(r, PRIO(1), 4), 7); /* WARL: three bits */
  wr(r, PRIO(96), 4, 1);
  assert_int_equal(rd(r, PRIO(96), 4), 0); /* 95 sources */
  assert_int_equal(rd(r, PRIO(0), 4), 0);
  rig_free(r);
}

static void plic_completion_needs_enable(void **state) {
  (void)state;
  struct rig *r = rig_new("plic", 2, NULL);
  wr(r, PRIO(3), 4, 1);
  wr(r, ENABLE(0, 0), 4, 8);
  plic_input(r, 3, true);
  assert_int_equal(rd(r, CLAIM(0), 4), 3);
  wr(r, CLAIM(1), 4, 3); /* context 1 has it not enabled: ignored */
  assert_int_equal(rd(r, PENDING(0), 4), 0);
  wr(r, CLAIM(0), 4, 3);
  assert_int_equal(rd(r, PENDING(0), 4), 8);
  wr(r, CLAIM(0), 4, 0);
  wr(r, CLAIM(0), 4, 5000);
  struct irq wire;
  assert_int_equal(device_input_irq(r->d, 96, &wire), -EINVAL);
  rig_free(r);
}

static void plic_reserved_space(void **state) {
  (void)state;
  struct rig *r = rig_new("plic", 2, NULL);
  static const uint64_t off[] = {0xffc,    0x1080,   0x1ffc,   0x2100,  0x1ffffc,
                                 0x200008, 0x202000, 0x202004, 0xfffffc};
  for (unsigned i = 0; i < ARRAY_SIZE(off); i++) {
    wr(r, off[i], 4, 0xffffffff);
    assert_int_equal(rd(r, off[i], 4), 0);
  }
  rig_free(r);
}

/* ---- Finisher ---- */

static void finisher_verdicts(void **state) {
  (void)state;
  static const struct {
    uint32_t word;
    enum machine_end end;
    uint64_t code;
  } t[] = {{0x5555, END_POWEROFF, 0}, {0x7777, END_RESET, 0}, {0x3333 | 7 << 16, END_CODE, 7},
           {0x3333, END_FAILURE, 0},  {0x1234, END_NONE, 0},  {0x3333u | 0xffffu << 16, END_CODE, 0xffff}};
  for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
    struct rig *r = rig_new("finisher", 0, NULL);
    wr(r, 0, 4, t[i].word);
    assert_int_equal(r->m->end, t[i].end);
    assert_int_equal(r->m->end_code, t[i].code);
    rig_free(r);
  }
}

/* ---- RTC ---- */

static uint64_t rtc_time(struct rig *r) {
  uint64_t low = rd(r, 0, 4);
  return rd(r, 4, 4) << 32 | low;
}

static void rtc_tells_time(void **state) {
  (void)state;
  struct rig *r = rig_new("goldfish_rtc", 1, NULL);
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  int64_t off = (int64_t)(rtc_time(r) - ((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec));
  assert_true(off > -1000000000 && off < 1000000000);
  wr(r, 4, 4, 0x10);
  wr(r, 0, 4, 0x20);
  uint64_t t = rtc_time(r);
  assert_true(t >= 0x1000000020 && t < 0x1000000020 + 1000000000);
  rig_free(r);
}

static void rtc_alarm(void **state) {
  (void)state;
  struct rig *r = rig_new("goldfish_rtc", 1, NULL);
  wr(r, 0x10, 4, 1);
  wr(r, 0x0c, 4, 0);
  wr(r, 0x08, 4, 1); /* long past */
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 0x18, 4), 0);
  wr(r, 0x1c, 4, 1);
  assert_false(r->level[0]);
  assert_int_equal(loop_start(r->m), 0);
  uint64_t due = rtc_time(r) + 20000000;
  wr(r, 0x0c, 4, due >> 32);
  wr(r, 0x08, 4, due & 0xffffffff);
  assert_int_equal(rd(r, 0x18, 4), 1);
  for (unsigned i = 0; i < 200 && !__atomic_load_n(&r->level[0], __ATOMIC_SEQ_CST); i++) usleep(5000);
  loop_stop(r->m);
  assert_true(r->level[0]);
  assert_int_equal(rd(r, 0x18, 4), 0);
  wr(r, 0x1c, 4, 1);
  due = rtc_time(r) + 10000000000;
  wr(r, 0x0c, 4, due >> 32);
  wr(r, 0x08, 4, due & 0xffffffff);
  assert_int_equal(rd(r, 0x0c, 4), due >> 32);
  wr(r, 0x14, 4, 1);
  assert_int_equal(rd(r, 0x18, 4), 0);
  wr(r, 0x0c, 4, 0xffffffff); /* so far off that it would overflow the host's clock */
  wr(r, 0x08, 4, 0xffffffff);
  assert_int_equal(rd(r, 0x18, 4), 1);
  assert_false(r->level[0]);
  rig_free(r);
}

/* ---- HTIF ---- */

#define TOHOST 0x80100040ull

static struct htif *htif_rig(struct rig *r, gpa_t fromhost) {
  struct htif *h = htif_new(r->m, TOHOST, fromhost, &r->c);
  assert_non_null(h);
  assert_int_equal(htif_map(h), 0);
  return h;
}

static void hw(struct rig *r, gpa_t pa, unsigned size, uint64_t v) {
  assert_int_equal(phys_mmio_write(r->m->phys, pa, size, v), 0);
}

static uint64_t hr(struct rig *r, gpa_t pa) {
  uint64_t v;
  assert_int_equal(phys_mmio_read(r->m->phys, pa, 8, &v), 0);
  return v;
}

static void htif_exit(void **state) {
  (void)state;
  struct rig *r = rig_new("finisher", 0, NULL);
  struct htif *h = htif_rig(r, 0);
  hw(r, TOHOST, 8, 0);
  hw(r, TOHOST - 8, 8, 1);
  hw(r, TOHOST + 8, 8, 1);
  assert_int_equal(r->m->end, END_NONE);
  hw(r, TOHOST, 4, 15); /* in halves: complete with the upper one */
  assert_int_equal(r->m->end, END_NONE);
  hw(r, TOHOST + 4, 4, 0);
  assert_int_equal(r->m->end, END_CODE);
  assert_int_equal(r->m->end_code, 7);
  htif_free(h);
  rig_free(r);
  r = rig_new("finisher", 0, NULL);
  h = htif_rig(r, 0);
  hw(r, TOHOST, 8, 1);
  assert_int_equal(r->m->end, END_POWEROFF);
  htif_free(h);
  rig_free(r);
}

static void htif_console(void **state) {
  (void)state;
  struct rig *r = rig_new("finisher", 0, NULL);
  gpa_t fromhost = 0x80102000;
  struct htif *h = htif_rig(r, fromhost);
  for (const char *p = "AB"; *p; p++) {
    hw(r, TOHOST, 8, 1ull << 56 | 1ull << 48 | (uint8_t)*p);
    assert_int_equal(hr(r, TOHOST), 0);
    assert_int_equal(hr(r, fromhost), 1ull << 56 | 1ull << 48);
    hw(r, fromhost, 8, 0);
  }
  assert_int_equal(r->nout, 2);
  assert_memory_equal(r->out, "AB", 2);
  hw(r, TOHOST, 8, 7ull << 56); /* an unknown device: said once */
  hw(r, TOHOST, 8, 7ull << 56);
  assert_int_equal(r->warnings, 1);
  assert_int_equal(r->m->end, END_NONE);
  htif_free(h);
  rig_free(r);
}

static void htif_pages(void **state) {
  (void)state;
  struct rig *r = rig_new("finisher", 0, NULL);
  struct htif *h = htif_rig(r, 0x80102ff8);
  uint8_t bytes[0x3000];
  memset(bytes, 0x11, sizeof bytes);
  assert_int_equal(htif_page(h, 0), 0x80100000);
  assert_int_equal(htif_page(h, 0x80100001), 0x80102000);
  assert_int_equal(htif_page(h, 0x80103000), UINT64_MAX);
  htif_poke(h, 0x800ff000, bytes, sizeof bytes); /* ends inside the second page's predecessor */
  assert_int_equal(hr(r, TOHOST), 0x1111111111111111);
  assert_int_equal(hr(r, 0x80102ff8), 0);
  assert_int_equal(r->m->end, END_NONE); /* loading is no command */
  htif_reset(h);
  assert_int_equal(hr(r, TOHOST), 0);
  htif_free(h);
  assert_null(htif_new(r->m, TOHOST + 4, 0, NULL));
  rig_free(r);
}

/* ---- Escape keys ---- */

static void escape_keys(void **state) {
  (void)state;
  struct machine *m = machine_new(NULL);
  bool escaped = false;
  uint8_t buf[16] = "ab\001\001c\001a";
  assert_int_equal(chardev_keys(m, &escaped, buf, 7), 5);
  assert_memory_equal(buf, "ab\001c\001", 5);
  memcpy(buf, "q\001", 2); /* split over two reads */
  assert_int_equal(chardev_keys(m, &escaped, buf, 2), 1);
  assert_true(escaped);
  memcpy(buf, "x!", 2);
  assert_int_equal(m->end, END_NONE);
  assert_int_equal(chardev_keys(m, &escaped, buf, 2), 0);
  assert_int_equal(m->end, END_QUIT);
  machine_free(m);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(uart_reset_values),
      cmocka_unit_test(uart_transmits),
      cmocka_unit_test(uart_thre_interrupt),
      cmocka_unit_test(uart_receives),
      cmocka_unit_test(uart_back_pressure),
      cmocka_unit_test(uart_without_fifo),
      cmocka_unit_test(uart_loop_back),
      cmocka_unit_test(uart_modem_interrupt),
      cmocka_unit_test(uart_fifo_reset),
      cmocka_unit_test(fields_drive_reset_and_access),
      cmocka_unit_test(access_size_and_alignment),
      cmocka_unit_test(aclint_software_interrupts),
      cmocka_unit_test(aclint_timer),
      cmocka_unit_test(aclint_mtime_is_writable),
      cmocka_unit_test(plic_claim_and_complete),
      cmocka_unit_test(plic_priorities),
      cmocka_unit_test(plic_completion_needs_enable),
      cmocka_unit_test(plic_reserved_space),
      cmocka_unit_test(finisher_verdicts),
      cmocka_unit_test(rtc_tells_time),
      cmocka_unit_test(rtc_alarm),
      cmocka_unit_test(htif_exit),
      cmocka_unit_test(htif_console),
      cmocka_unit_test(htif_pages),
      cmocka_unit_test(escape_keys),
  };
  return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
