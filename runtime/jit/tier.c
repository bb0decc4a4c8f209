/* Names of tiers, and the policy that there is. */
#include "jit/tier.h"

#include <string.h>

#include "jit/jit.h"

const char *const tier_name[TIERS] = {[TIER_INTERP] = "interp", [TIER_BLOCK] = "block"};

static enum jit_tier by_count(uint32_t threshold, uint32_t n) {
  return n < threshold ? TIER_INTERP : TIER_BLOCK;
}

const struct tier_policy tier_by_count = {"count", by_count};

enum jit_tier tier_entered(const struct jit_options *o, uint32_t threshold, uint32_t n) {
  const enum jit_tier tier = o->policy->entered(threshold, n);
  return tier < o->highest ? tier : o->highest;
}

bool tier_find(const char *name, enum jit_tier *out) {
  for (unsigned i = 0; i < TIERS; i++)
    if (!strcmp(name, tier_name[i])) {
      *out = (enum jit_tier)i;
      return true;
    }
  return false;
}
