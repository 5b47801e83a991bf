// The formulas of expand-math as patterns, for the lowerings of all targets.
#ifndef ATTN_CONVERSION_MATHEXPANSIONS_H
#define ATTN_CONVERSION_MATHEXPANSIONS_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::attn {

/// Marks what is inserted as exact: a formula is what it says, whatever a
/// target could fuse.
class ExactListener : public RewriterBase::Listener {
public:
  void notifyOperationInserted(Operation *op,
                               OpBuilder::InsertPoint previous) override;
};

/// Patterns for every function of math that no target has an instruction for,
/// on f32 (and integers) and vectors of them. Apply with an ExactListener.
void populateMathExpansions(RewritePatternSet &patterns);

/// arith.maximumf and minimumf of decisions, for targets whose instructions do
/// not order zeros.
void populateExactExtrema(RewritePatternSet &patterns);

/// arith.remf of scalars, which become loops, and the rounded divisions of
/// integers.
void populateScalarExpansions(RewritePatternSet &patterns);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_MATHEXPANSIONS_H
