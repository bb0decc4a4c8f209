/* The table of a vCPU's counters. */
#include "core/counters.h"

static const struct {
  const char *key, *text;
  size_t offset;
} counters[] = {
    {"tlb_read_misses", "TLB misses, read (first level)", offsetof(struct vcpu_stats, tlb_miss[0])},
    {"tlb_write_misses", "TLB misses, write (first level)", offsetof(struct vcpu_stats, tlb_miss[1])},
    {"tlb_fetch_misses", "TLB misses, fetch (first level)", offsetof(struct vcpu_stats, tlb_miss[2])},
    {"tlb_read_hits", "  of these in the second level, read", offsetof(struct vcpu_stats, tlb_hit[0])},
    {"tlb_write_hits", "  of these in the second level, write", offsetof(struct vcpu_stats, tlb_hit[1])},
    {"tlb_fetch_hits", "  of these in the second level, fetch", offsetof(struct vcpu_stats, tlb_hit[2])},
    {"page_walks", "page walks", offsetof(struct vcpu_stats, page_walks)},
    {"decode_hits", "decoded cache: slow look-ups that hit", offsetof(struct vcpu_stats, decode_hit)},
    {"decode_misses", "decoded cache: instructions decoded", offsetof(struct vcpu_stats, decode_miss)},
    {"code_invalidations", "decoded cache: pages invalidated",
     offsetof(struct vcpu_stats, code_invalidations)},
};

void counters_each(const struct vcpu_stats *s, counter_fn *each, void *data) {
  for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
    each(data, counters[i].key, counters[i].text,
         *(const uint64_t *)(const void *)((const char *)s + counters[i].offset));
}
