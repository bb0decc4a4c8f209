/* Which tier code runs in: what is asked for (--tier) is the highest, a policy decides when a place of guest code gets there.
 * Further tiers (traces) and policies (of profiles) join here. */
#ifndef ISOMER_JIT_TIER_H
#define ISOMER_JIT_TIER_H

#include <stdbool.h>
#include <stdint.h>

enum jit_tier {
  TIER_INTERP, /* decoded instructions */
  TIER_BLOCK,  /* a straight line translated alone */
  TIERS
};
extern const char *const tier_name[TIERS];

struct jit_options;

struct tier_policy {
  const char *name;
  /* A place without code was entered for the n-th time: the tier it deserves. `threshold`: what --jit says, or the engine. */
  enum jit_tier (*entered)(uint32_t threshold, uint32_t n);
};
/* Translates what was entered `threshold` times. */
extern const struct tier_policy tier_by_count;

/* The same, but not above the highest tier asked for. */
enum jit_tier tier_entered(const struct jit_options *o, uint32_t threshold, uint32_t n);
bool tier_find(const char *name, enum jit_tier *out);

#endif
