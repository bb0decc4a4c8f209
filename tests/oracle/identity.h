/* For oracles whose processor under test must not share memory with this process: guest virtual = guest physical, every
 * right on what is RAM. */
#ifndef ORACLE_IDENTITY_H
#define ORACLE_IDENTITY_H

#include "core/isa.h"
#include "mem/phys.h"

static int identity_translate(struct vcpu *v, gva_t va, enum access access, struct translation *out) {
  if (!phys_ptr(v->c->phys, va, 1, false)) return v->c->isa->arch->bus_fault(v, va, access);
  *out = (struct translation){
      .pa = va, .size = GUEST_PAGE_SIZE, .prot = 1 << ACCESS_READ | 1 << ACCESS_WRITE | 1 << ACCESS_FETCH};
  return 0;
}

static inline void identity_attach(struct vcpu *v) { v->c->translate = identity_translate; }

#endif
