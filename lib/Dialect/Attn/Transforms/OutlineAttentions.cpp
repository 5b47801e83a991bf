// attn-outline-attentions: see its description in Passes.td.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNOUTLINEATTENTIONSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
class Outliner {
public:
  explicit Outliner(ModuleOp module) : module(module), symbols(module) {}

  /// Replaces `op` by a call, unless the function around it is a kernel's.
  template <typename Op> void outline(Op op, StringRef suffix) {
    auto around = op->template getParentOfType<func::FuncOp>();
    if (!around || around->getParentOp() != module)
      return; // What makes kernels says what is wrong with it.
    if (isKernelFunction(op) && (!isCalled(around) || canBeDeclared(op)))
      return;
    func::FuncOp own = functionOf(op, around, suffix);
    OpBuilder builder(op);
    auto call =
        func::CallOp::create(builder, op.getLoc(), own, op->getOperands());
    op->replaceAllUsesWith(call);
    op->erase();
  }

private:
  /// The function of attentions that equal `op`, before `around` if it is new.
  func::FuncOp functionOf(Operation *op, func::FuncOp around,
                          StringRef suffix) {
    Builder attributes(op->getContext());
    auto type =
        attributes.getFunctionType(op->getOperandTypes(), op->getResultTypes());
    Attribute key =
        attributes.getArrayAttr({op->getName().getIdentifier(),
                                 op->getAttrDictionary(), TypeAttr::get(type)});
    func::FuncOp &own = functions[key];
    if (own)
      return own;
    OpBuilder builder(op->getContext());
    own = func::FuncOp::create(builder, op->getLoc(),
                               (around.getName() + suffix).str(), type);
    own.setPrivate();
    Block *body = own.addEntryBlock();
    builder.setInsertionPointToStart(body);
    // Not by a mapping: an operand that comes twice has two arguments.
    Operation *inside = builder.clone(*op);
    inside->setOperands(body->getArguments());
    func::ReturnOp::create(builder, op->getLoc(), inside->getResults());
    symbols.insert(own, around->getIterator());
    return own;
  }

  ModuleOp module;
  SymbolTable symbols;
  DenseMap<Attribute, func::FuncOp> functions;
};

struct OutlineAttentions
    : mlir::attn::impl::AttnOutlineAttentionsPassBase<OutlineAttentions> {
  void runOnOperation() override {
    Outliner outliner(getOperation());
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<AttentionOp, AttentionBackwardOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (auto forward = dyn_cast<AttentionOp>(op))
        outliner.outline(forward, "_attention");
      else
        outliner.outline(cast<AttentionBackwardOp>(op), "_gradients");
    }
  }
};
} // namespace
