/* HTIF: the host interface of bare-metal test programs. The pages that hold the 64-bit words `tohost` and `fromhost` are
 * taken out of RAM and become windows backed by bytes of their own, so that every store to them is seen. Code does not run
 * from these pages and atomics do not work there. */
#ifndef ISOMER_DEVICES_HTIF_H
#define ISOMER_DEVICES_HTIF_H

#include "core/machine.h"

struct chardev;
struct htif;

/* `fromhost` may be 0: the program has none. Both 8-byte aligned. NULL and a message on failure. */
struct htif *htif_new(struct machine *m, gpa_t tohost, gpa_t fromhost, struct chardev *out);
void htif_free(struct htif *h);
/* The first page at or above `from` that belongs to HTIF, UINT64_MAX when there is none. */
gpa_t htif_page(const struct htif *h, gpa_t from);
/* Maps the pages; RAM must leave them out. -errno, logged. */
int htif_map(struct htif *h);
/* Sets bytes of its pages without effect, for loaders; what lies elsewhere is skipped. */
void htif_poke(struct htif *h, gpa_t pa, const void *bytes, uint64_t n);
/* Shows its state (snapshots). */
void htif_visit(struct htif *h, void (*fn)(void *arg, void *at, size_t n), void *arg);
/* Zeroes its pages. */
void htif_reset(struct htif *h);

#endif
