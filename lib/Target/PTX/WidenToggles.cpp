// See WidenToggles.h.
#include "WidenToggles.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PatternMatch.h"

using namespace llvm;

using Values = SmallSetVector<Value *, 8>;

/// The booleans that `value` is computed from by operations on booleans alone.
static Values sourcesOf(Value *value) {
  Values found;
  auto add = [&](Value *from) {
    auto *instruction = dyn_cast<Instruction>(from);
    if (!instruction || !(isa<PHINode, SelectInst, FreezeInst>(instruction) ||
                          instruction->isBitwiseLogicOp()))
      return;
    for (Value *operand : instruction->operands())
      if (operand->getType()->isIntegerTy(1))
        found.insert(operand);
  };
  add(value);
  for (size_t i = 0; i < found.size(); ++i)
    add(found[i]);
  return found;
}

/// Whether a loop carries the boolean and may negate it on the way.
static bool isToggle(PHINode &phi) {
  return phi.getType()->isIntegerTy(1) &&
         any_of(sourcesOf(&phi), [&](Value *value) {
           auto *instruction = dyn_cast<Instruction>(value);
           return instruction && instruction->getOpcode() == Instruction::Xor &&
                  sourcesOf(value).contains(&phi);
         });
}

static void widen(PHINode &phi) {
  IRBuilder<> builder(&phi);
  Type *i32 = builder.getInt32Ty();
  PHINode *wide = builder.CreatePHI(i32, phi.getNumIncomingValues());
  for (auto [value, block] : zip(phi.incoming_values(), phi.blocks())) {
    Value *next;
    if (PatternMatch::match(
            value.get(), PatternMatch::m_Not(PatternMatch::m_Specific(&phi)))) {
      builder.SetInsertPoint(cast<Instruction>(value.get()));
      next = builder.CreateXor(wide, 1);
    } else {
      builder.SetInsertPoint(block->getTerminator());
      next = builder.CreateZExt(value, i32);
    }
    wide->addIncoming(next, block);
  }
  builder.SetInsertPoint(phi.getParent(),
                         phi.getParent()->getFirstInsertionPt());
  phi.replaceAllUsesWith(builder.CreateICmpNE(wide, builder.getInt32(0)));
  phi.eraseFromParent();
}

void mlir::attn::widenToggles(Module &module) {
  for (Function &function : module) {
    SmallVector<PHINode *> toggles;
    for (Instruction &instruction : instructions(function))
      if (auto *phi = dyn_cast<PHINode>(&instruction); phi && isToggle(*phi))
        toggles.push_back(phi);
    for (PHINode *phi : toggles)
      widen(*phi);
  }
}
