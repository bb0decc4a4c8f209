/* See llvm_shim.h. C++ because LLVM's MC layer has no complete C interface.
 * cflags: -isystem /usr/lib/llvm-19/include */
#include "llvm_shim.h"

#include <cstdio>
#include <memory>
#include <string>

#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCTargetOptions.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

struct llvm_shim {
  llvm::Triple triple;
  llvm::MCTargetOptions options;
  std::unique_ptr<llvm::MCRegisterInfo> registers;
  std::unique_ptr<llvm::MCAsmInfo> syntax;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<llvm::MCInstrInfo> instructions;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCDisassembler> disassembler;
  std::unique_ptr<llvm::MCInstPrinter> printer;
  std::string text;
};

struct llvm_shim *llvm_shim_open(const char *triple, const char *features, unsigned variant, bool aliases) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllDisassemblers();
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  auto *s = new llvm_shim;
  s->triple = llvm::Triple(triple);
  s->registers.reset(target->createMCRegInfo(triple));
  s->syntax.reset(target->createMCAsmInfo(*s->registers, triple, s->options));
  s->subtarget.reset(target->createMCSubtargetInfo(triple, "", features));
  s->instructions.reset(target->createMCInstrInfo());
  s->context.reset(new llvm::MCContext(s->triple, s->syntax.get(), s->registers.get(), s->subtarget.get()));
  s->disassembler.reset(target->createMCDisassembler(*s->subtarget, *s->context));
  s->printer.reset(
      target->createMCInstPrinter(s->triple, variant, *s->syntax, *s->instructions, *s->registers));
  if (!s->disassembler || !s->printer ||
      (!aliases && !s->printer->applyTargetSpecificCLOption("no-aliases") && variant == 0)) {
    delete s;
    return nullptr;
  }
  return s;
}

int llvm_shim_text(struct llvm_shim *s, const uint8_t *bytes, size_t n, char *buf, size_t size) {
  llvm::MCInst inst;
  uint64_t length = 0;
  if (s->disassembler->getInstruction(inst, length, llvm::ArrayRef<uint8_t>(bytes, n), 0, llvm::nulls()) ==
      llvm::MCDisassembler::Fail)
    return 0;
  s->text.clear();
  llvm::raw_string_ostream out(s->text);
  s->printer->printInst(&inst, 0, "", *s->subtarget, out);
  std::snprintf(buf, size, "%s", out.str().c_str());
  return static_cast<int>(length);
}
