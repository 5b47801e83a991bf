// Evaluating the program of a mod somewhere else: what every lowering does with
// attn.mod, so that all of them read a program in the same way.
#ifndef ATTN_DIALECT_ATTN_IR_MODPROGRAM_H
#define ATTN_DIALECT_ATTN_IR_MODPROGRAM_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::attn {

/// Makes the value of `load` at `indices` (i32, one for each dimension) of
/// `table`, which is what stands for the captured tensor. The result has the
/// table's element type.
using LowerLoadFn = function_ref<Value(OpBuilder &builder, LoadOp load,
                                       ValueRange indices, Value table)>;

/// Adds `value` (f32) to the gradient of the capture that `accumulate` names,
/// at `indices` (i32).
using LowerAccumulateFn =
    function_ref<void(OpBuilder &builder, AccumulateOp accumulate,
                      ValueRange indices, Value value)>;

/// Clones `program`, the score, mask or adjoint region of a mod that stands
/// alone (ModOp::standsAlone), at the insertion point of `builder`. `captures`
/// stand for the captured values (tables may be of any type that `lowerLoad`
/// can read), `args` for the arguments after them. Returns what the program
/// yields, an i1 or an f32: mods compute in f32 wherever they are evaluated, so
/// that a rounding that decides something decides it everywhere. Clones keep
/// their locations. Without `lowerAccumulate` nothing is added to the gradients
/// of captures.
Value inlineProgram(OpBuilder &builder, Region &program, ValueRange captures,
                    ValueRange args, LowerLoadFn lowerLoad,
                    LowerAccumulateFn lowerAccumulate = nullptr);

/// Erases the mods of `module`, and what makes their data: when their programs
/// live on in kernels, they would only stand in the way of a translation.
void eraseMods(ModuleOp module);

/// Marks a float operation whose result must have the same bits on every
/// target: no approximation, and no product fused with a sum. What decides an
/// index or a branch is computed so (attn-mark-decisions). Others are ignored.
void markExact(Operation *op);
bool isExact(Operation *op);
/// Takes the mark away.
void unmarkExact(Operation *op);

/// Marks an operation that attn-total-mods has guarded: it neither traps nor
/// is its result undefined, whatever its operands are, unless that result is
/// not used. So it may be executed where the program would not.
void markTotal(Operation *op);
bool isTotal(Operation *op);

/// Marks a sum of a query's position and an offset as a position: neither it
/// nor its difference to a key's position wraps.
void markPosition(Operation *op);
bool isPosition(Operation *op);

/// Whether `op` can be executed for nothing: it is speculatable, or total.
bool canSpeculate(Operation *op);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_MODPROGRAM_H
