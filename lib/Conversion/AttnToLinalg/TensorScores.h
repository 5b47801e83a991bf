// Attention on whole tensors, as its definition has it: what the oracle's
// forward and backward pass share. Tensors of scores have the dimensions
// (batch, query head, query, key), statistics of a row the first three of them;
// all are of the type `real`.
#ifndef ATTN_CONVERSION_ATTNTOLINALG_TENSORSCORES_H
#define ATTN_CONVERSION_ATTNTOLINALG_TENSORSCORES_H

#include "RaggedRows.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

class TensorScores {
public:
  /// Of an attention or of its gradients.
  template <typename Op>
  TensorScores(Op op, FloatType real)
      : builder(op.getLoc(), op), real(real), query(op.getQuery()),
        key(op.getKey()), value(op.getValue()), captures(op.getCaptures()),
        queryOffset(op.getQueryOffset()), lengths(op.getLengths()),
        pages(pagesOf(op)), mod(op.lookupMod()),
        scale(op.getScale() ? op.getScale()->convertToDouble()
                            : defaultScale(op.getHeadDim())),
        headDim(op.getHeadDim()), valueDim(op.getValueDim()),
        queryRows(builder, query, queryStartsOf(op)),
        keyRows(builder, key, keyStartsOf(op)) {
    findSizes();
  }

protected:
  using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

  /// dot(query[b,h,q,:], key[b,hk,kv,:])
  Value dotProducts();
  /// The mod's arguments for a score, not yet scaled, of a linalg body: s as
  /// mods see it, then b, h, q and kv of the sequence that the score at
  /// `positions` of the loops is of.
  SmallVector<Value> modArguments(OpBuilder &b, Location loc, Value score,
                                  ValueRange positions);
  /// t, as `real`, and whether it is kept (null: always), of these arguments.
  Value scoreOf(OpBuilder &b, Location loc, Value score, ValueRange arguments);
  Value keepOf(OpBuilder &b, ValueRange arguments);
  /// i1: whether query and key at `positions` are of one sequence; null where
  /// all are.
  Value areTogether(OpBuilder &b, Location loc, ValueRange positions);
  /// The batch of keys and values for the query at `batch` and `row`.
  Value keyBatchOf(OpBuilder &b, Location loc, Value batch, Value row);
  /// The indices of a linalg body's first four loops.
  static SmallVector<Value> loopIndices(OpBuilder &b, Location loc);

  /// A linalg.generic of `loops` loops, of which those that `outDims` does not
  /// name are reductions. `body` gets the elements of inputs, then of `init`.
  Value generic(ValueRange inputs, ArrayRef<ArrayRef<unsigned>> inputDims,
                Value init, ArrayRef<unsigned> outDims, unsigned loops,
                Body body);
  /// Combines each row of scores, over the keys.
  Value
  reduce(Value scores, double init,
         function_ref<Value(OpBuilder &, Location, Value, Value)> combine);
  Value filled(ArrayRef<OpFoldResult> sizes, Type type, double value);
  Value empty(ArrayRef<OpFoldResult> sizes, Type type);
  Value constant(OpBuilder &b, Location loc, double value);
  Value isMinusInfinity(OpBuilder &b, Location loc, Value value);
  /// tensor[batch, head / group, key, channel] as `real`, by way of its page
  /// if there are pages; 0 where there is none.
  Value elementOfHead(OpBuilder &b, Location loc, Value tensor, Value batch,
                      Value head, Value key, Value channel);
  /// `value` as a float of type `to`.
  static Value convert(OpBuilder &b, Location loc, Value value, FloatType to);
  /// Sizes of query's batch, heads and length.
  ArrayRef<OpFoldResult> rowSizes() {
    return ArrayRef(scoreSizes).take_front(3);
  }
  SmallVector<OpFoldResult> rowSizesAnd(int64_t channels);
  /// Puts `results` in the place of `op`.
  void replace(Operation *op, ValueRange results);

  ImplicitLocOpBuilder builder;
  FloatType real;
  Value query, key, value;
  SmallVector<Value> captures;
  Value queryOffset, lengths, pages; ///< each may be null
  ModOp mod;                         ///< may be null
  double scale;
  int64_t headDim, valueDim;
  SmallVector<OpFoldResult> scoreSizes; ///< batch, query head, query, key
  Value group; ///< how many query heads share one key head, an index

private:
  static Value queryStartsOf(AttentionOp op) { return op.getCuQ(); }
  static Value keyStartsOf(AttentionOp op) { return op.getCuK(); }
  static Value queryStartsOf(AttentionBackwardOp) { return {}; }
  static Value keyStartsOf(AttentionBackwardOp) { return {}; }
  static double defaultScale(int64_t headDim);
  static Value pagesOf(AttentionOp op) { return op.getPages(); }
  static Value pagesOf(AttentionBackwardOp) { return {}; }
  void findSizes();
  /// index: the sequence of the query at `batch` and `row`; 0 if it is in none.
  Value sequenceOf(OpBuilder &b, Location loc, Value batch, Value row);

  /// The page of a key, an index, and whether there is such a page.
  std::pair<Value, Value> pageOf(OpBuilder &b, Location loc, Value batch,
                                 Value key);

  RaggedRows queryRows, keyRows;
};

/// What the programs of a mod must be for the oracle.
LogicalResult checkStandsAlone(Operation *op, ModOp mod);

/// A LowerLoadFn for captures that are tensors.
Value loadFromTensor(OpBuilder &b, LoadOp load, ValueRange indices,
                     Value table);

/// Lowers the gradients of an attention.
LogicalResult lowerBackwardToLinalg(AttentionBackwardOp op, FloatType real);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOLINALG_TENSORSCORES_H
