// What a mod does to the tiles of scores of one task.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H
#define ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H

#include "TileProgram.h"

namespace mlir::attn {

class ModOnTiles {
public:
  /// `mod` stands alone, or is null. Scores are dot products times `scale`.
  ModOnTiles(TileBuilder &tiles, ModOp mod, double scale, ValueRange captures,
             const ScorePosition &at);

  /// Whether scores are more than scaled dot products.
  bool hasScore() const { return !scoreProgram.isEmpty(); }
  /// The score program of a tile of dot products.
  Value score(Value products, Value firstColumn);
  /// A tile of scores in which -inf stands for what the mask or the lengths
  /// leave out.
  Value mask(Value scores, Value firstColumn);
  /// The gradients of scaled dot products from those of scores; 0 where
  /// `masked`, the scores, are -inf.
  Value adjoint(Value products, Value gradients, Value masked,
                Value firstColumn);

private:
  Value scaled(Value product);

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  float scale;
  Region nothing; ///< stands for a program that is not there
  TileProgram scoreProgram, maskProgram, adjointProgram;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_MODONTILES_H
