/* Hostile Linux `Image` files, with and without the PE headers that newer ones carry. */
#include "core/isa.h"
#include "fuzz/fuzz.h"
#include "loader/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct load_info info;
  struct image image;
  char why[64];
  fuzz_quiet();
  bool is = image_is(data, n);
  int rc = image_parse(data, n, &image, why, sizeof why);
  MUST(is || rc);
  if (!rc) {
    MUST(image.isa && image.mem_size >= n);
    MUST(image.text_offset + image.mem_size >= image.mem_size);
  }
  if (!load_identify(data, n, &info, why, sizeof why) && info.kind == LOAD_IMAGE) MUST(!rc && info.isa);
  return 0;
}
