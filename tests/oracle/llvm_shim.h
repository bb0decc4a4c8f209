/* LLVM's MC disassembler behind C functions: what its C interface does not offer is text without aliases. */
#ifndef ISOMER_TESTS_LLVM_SHIM_H
#define ISOMER_TESTS_LLVM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct llvm_shim;

/* `variant`: syntax of the assembly printer (1 is Intel's on x86). Returns NULL when LLVM lacks the target. */
struct llvm_shim *llvm_shim_open(const char *triple, const char *features, unsigned variant, bool aliases);

/* Text of the instruction at the start of `bytes`; returns its length in bytes, 0 when LLVM does not decode it. An
 * encoding that LLVM calls unpredictable counts as decoded. */
int llvm_shim_text(struct llvm_shim *s, const uint8_t *bytes, size_t n, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
