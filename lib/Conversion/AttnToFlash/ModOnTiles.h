// What a mod does to the tiles of scores of one task.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H
#define ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H

#include "TileProgram.h"

#include <functional>

namespace mlir::attn {

class ModOnTiles {
public:
  /// `mod` stands alone, or is null. Scores are dot products times `scale`.
  ModOnTiles(TileBuilder &tiles, ModOp mod, double scale, ValueRange captures,
             const ScorePosition &at);

  /// Whether scores are more than scaled dot products.
  bool hasScore() const { return !scoreProgram.isEmpty(); }
  /// What the score program reads of a tile's pairs, before there are products.
  TileProgram::PairRead readPairs(RankedTensorType shape, Value firstColumn) {
    return scoreProgram.readPairs(shape, firstColumn);
  }
  /// The score program of a tile of dot products.
  Value score(Value products, Value firstColumn,
              TileProgram::PairRead read = {});
  /// Emits, for one element, whether its column (i32) is kept.
  using KeepColumn = std::function<Value(Value column)>;
  /// A tile of scores in which -inf stands for what the mask or the lengths
  /// leave out, or `keepColumn`, if it is given.
  Value mask(Value scores, Value firstColumn, KeepColumn keepColumn = nullptr);
  /// The gradients of scaled dot products from those of scores; 0 where these
  /// are: of a pair that is left out the derivative may be anything.
  Value adjoint(Value products, Value gradients, Value firstColumn);

  /// What `parts` of the adjoint program add for each pair; 0 where the
  /// gradient is.
  Value additions(ArrayRef<AccumulateOp> parts, Value products, Value gradients,
                  Value firstColumn);
  /// The same, and 0 for rows outside of the tensor.
  Value additionsInside(ArrayRef<AccumulateOp> parts, Value products,
                        Value gradients, Value firstColumn);
  /// A tile or a vector of rows, 0 for those outside of the tensor.
  Value inside(Value tile);
  /// The element of the capture, as a number (i64), to which `part` adds. Of
  /// pairs outside of the tensors it may be any.
  Value places(AccumulateOp part, Value products, Value firstColumn);

private:
  Value scaled(Value product);
  /// `value`, or 0 where `gradient` is; `inProgram` are what the adjoint
  /// program makes it of.
  Value ifAny(Value gradient, Value value, ArrayRef<Value> inProgram);

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  float scale;
  Region nothing; ///< stands for a program that is not there
  ValueRange captures;
  TileProgram scoreProgram, maskProgram, adjointProgram;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H
