/* Loads, stores and fills of memory at identity that the inline path did not make: by other code than the direct run loop,
 * or because they faulted. */
#include "mem/direct.h"

#include <string.h>

#include "core/log.h"
#include "os/guest_access.h"

static bool load(gva_t a, unsigned size, void *out) {
  switch (size) {
  case 1: return os_guest_load8(a, out);
  case 2: return os_guest_load16(a, out);
  case 4: return os_guest_load32(a, out);
  case 8: return os_guest_load64(a, out);
  case 16: return os_guest_load128(a, out);
  }
  log_bug("a load of %u bytes", size);
}

static bool store(gva_t a, unsigned size, const void *in) {
  uint16_t h;
  uint32_t w;
  uint64_t d;
  u128 q;
  switch (size) {
  case 1: return os_guest_store8(a, *(const uint8_t *)in);
  case 2: return memcpy(&h, in, size), os_guest_store16(a, h);
  case 4: return memcpy(&w, in, size), os_guest_store32(a, w);
  case 8: return memcpy(&d, in, size), os_guest_store64(a, d);
  case 16: return memcpy(&q, in, size), os_guest_store128(a, q);
  }
  log_bug("a store of %u bytes", size);
}

/* Would a store change both its pages? Tried where stores are not whole, or made of two. */
static bool writable(gva_t a, unsigned size) {
  uint8_t byte;
  const gva_t end = a + (size - 1);
  if (OS_STORE_WHOLE || ((a ^ end) & GUEST_PAGE_MASK) == 0) return true;
  return os_guest_load8(a, &byte) && os_guest_cas8(a, byte, byte, &byte) && os_guest_load8(end, &byte) &&
         os_guest_cas8(end, byte, byte, &byte);
}

static bool inside(const struct vcpu *v, gva_t a, uint64_t n) { return space_holds(v->c->space, a, n); }

int direct_load(struct vcpu *v, gva_t a, unsigned size, void *out) {
  int rc = 0;
  uint8_t bytes[16] __attribute__((aligned(16)));
  while (!rc && !(inside(v, a, size) && load(a, size, bytes))) rc = space_repair(v, a, size, ACCESS_READ);
  if (!rc) memcpy(out, bytes, size);
  return rc;
}

int direct_store(struct vcpu *v, gva_t a, unsigned size, const void *in) {
  int rc = 0;
  while (!rc && !(inside(v, a, size) && writable(a, size) && store(a, size, in)))
    rc = space_repair(v, a, size, ACCESS_WRITE);
  return rc;
}

int direct_fill(struct vcpu *v, gva_t a, uint64_t len, uint8_t byte) {
  uint8_t line[64];
  int rc = len ? space_repair(v, a, len, ACCESS_WRITE) : 0;
  memset(line, byte, sizeof line);
  for (uint64_t n; !rc && len; a += n, len -= n) {
    n = len < sizeof line ? len : sizeof line;
    while (!rc && os_guest_write(a, line, n)) rc = space_repair(v, a, n, ACCESS_WRITE);
  }
  return rc;
}
