// What the compiler understands of a mask program, for users and for launches.
#include "MaskAnalysis.h"

#include "ModImpl.h"

#include "attn/API/Tiles.h"
#include "attn/Analysis/PositionClasses.h"

using namespace attn;

static mlir::attn::MaskLogic logicOf(const Mod &mod) {
  return mlir::attn::MaskLogic(mod.impl().standalone().getMask());
}

MaskAnalysis attn::analyzeMask(const Mod &mod) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  mlir::attn::MaskLogic logic = logicOf(mod);
  MaskAnalysis analysis;
  analysis.needsLists = !logic.hasOneRun(mlir::attn::Axis::Key);
  llvm::raw_string_ostream text(analysis.text);
  logic.print(text);
  for (const auto &remark : logic.remarks) {
    std::string line;
    if (auto at = mlir::dyn_cast<mlir::FileLineColLoc>(remark.location))
      line = at.getFilename().str() + ":" + std::to_string(at.getLine()) + ":" +
             std::to_string(at.getColumn()) + ": ";
    analysis.remarks.push_back(line + "remark: " + remark.text);
  }
  return analysis;
}

MaskFacts attn::maskFactsOf(const Mod &mod) {
  mlir::attn::MaskLogic logic = logicOf(mod);
  MaskFacts facts;
  facts.readsBatch = logic.readsBatch();
  facts.readsHead = logic.readsHead();
  for (mlir::Value part : logic.parts)
    ++(logic.dependence()->isRow(part) ? facts.queryParts : facts.keyParts);
  mlir::attn::PositionClasses classes(logic);
  facts.hasQueryClasses = !classes.ofQuery.empty();
  facts.hasKeyClasses = !classes.ofKey.empty();
  return facts;
}
