// Evaluating a program of a mod on a tile of scores.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_TILEPROGRAM_H
#define ATTN_CONVERSION_ATTNTOFLASH_TILEPROGRAM_H

#include "TileBuilder.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "llvm/ADT/DenseMap.h"

namespace mlir::attn {

/// Where the scores of a task lie. All but b and h are of type index.
struct ScorePosition {
  Value batch, head;        ///< i32: b and h
  Value firstQuery;         ///< of the task's tiles
  Value lastQuery, lastKey; ///< of the tensors
  Value keys;               ///< their number
};

/// One program, on the tiles of one task.
class TileProgram {
public:
  /// `program`: the score or mask region of a mod that stands alone, or an
  /// empty one; `captures` as the kernel holds them (unpackCaptures).
  TileProgram(TileBuilder &tiles, Region &program, ValueRange captures,
              const ScorePosition &at)
      : t(tiles), b(tiles.b), program(program), captures(captures), at(at) {}

  bool isEmpty() const { return program.empty(); }

  /// Evaluates the program for one element from its leading arguments: the
  /// score, or none.
  using Evaluate = llvm::function_ref<Value(ValueRange leading)>;
  /// Makes a new score from the old one. `wholeTile`: all of the tile's keys
  /// are known to be inside the tensor.
  using Element =
      llvm::function_ref<Value(Value score, Evaluate evaluate, bool wholeTile)>;

  /// A tile from `score`, a tile whose first key is `firstKey` (index), element
  /// by element. Programs that read tables at the key are built twice, for
  /// tiles that are whole and for others.
  Value onTile(Value score, Value firstKey, Element element);

  /// i1, of one element of such a tile: whether its key is inside the tensor.
  Value isKey(Value firstKey);

private:
  Value build(Value score, Value firstKey, bool wholeTile, Element element);
  Value evaluate(ValueRange leading, Value firstKey, bool wholeTile);
  bool readsAtKeys();
  bool isReadOnce(LoadOp load, ValueRange indices);
  Value readOnce(OpBuilder &builder, LoadOp load, ValueRange indices,
                 Value table);
  Value position(int64_t dim, Value first);
  Value clamp(Value position, Value last);

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  Region &program;
  ValueRange captures;
  ScorePosition at;
  llvm::DenseMap<Operation *, Value> uniformLoads;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_TILEPROGRAM_H
