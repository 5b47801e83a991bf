// Evaluating a program of a mod on a tile of scores.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_TILEPROGRAM_H
#define ATTN_CONVERSION_ATTNTOFLASH_TILEPROGRAM_H

#include "PackedRows.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "llvm/ADT/DenseMap.h"

namespace mlir::attn {

/// Where the scores of a task lie: the rows of its tiles are positions of the
/// axis that it owns, the columns those of the axis that it visits.
struct ScorePosition {
  Value batch, head; ///< i32: b and h; no head where rows have their own
  TiledAxis own, visited;
  Value firstRow; ///< index
  /// Where rows are of a group of heads, and a program reads which.
  RowPairs pairs = {};
};

/// Whether a program of `mod`, which may be null, reads the head or the query.
bool readsRows(ModOp mod);

/// One program, on the tiles of one task. Tiles that are whole lie inside the
/// tensor with all of their columns.
class TileProgram {
public:
  /// `program`: a region of a mod that stands alone, or an empty one;
  /// `captures` as the kernel holds them (unpackCaptures).
  TileProgram(TileBuilder &tiles, Region &program, ValueRange captures,
              const ScorePosition &at)
      : t(tiles), b(tiles.b), program(program), captures(captures), at(at) {}

  bool isEmpty() const { return program.empty(); }
  /// Of the program itself: the leading argument number `i`, and the result.
  Value argument(unsigned i) const;
  Value result() const;

  /// Evaluates the program for one element from its leading arguments: the
  /// score, the score and a gradient, or none.
  class Evaluate {
  public:
    using Function =
        llvm::function_ref<Value(ValueRange leading, LowerAccumulateFn)>;
    Evaluate(Function function) : function(function) {}
    Value operator()(ValueRange leading,
                     LowerAccumulateFn accumulate = nullptr) const {
      return function(leading, accumulate);
    }

  private:
    Function function;
  };
  /// What a load of the program reads of a tile's pairs; false: none.
  struct PairRead {
    LoadOp load;
    Value tile;
    explicit operator bool() const { return load != nullptr; }
  };
  /// The first table that is read at pairs (PairReads.h), if there is one, as a
  /// tile like `shape`, of which `firstColumn` is the first column: who needs
  /// no scores for it can ask memory before there are any. Each takes a tile of
  /// registers; there is room for one.
  PairRead readPairs(RankedTensorType shape, Value firstColumn);

  /// Makes the result's element from those of the tiles.
  using Element = llvm::function_ref<Value(ValueRange elements,
                                           Evaluate evaluate, bool wholeTile)>;

  /// A tile from `tiles`, whose first column is `firstColumn` (index), element
  /// by element: of their type, or of `elementType`. Programs that read tables
  /// at the column are built twice, for tiles that are known to be whole and
  /// for others. `read`: of the same tile, which is not read again.
  Value onTiles(ValueRange tiles, Value firstColumn, Element element,
                Type elementType = {}, PairRead read = {});

  /// i32, of one element of such a tile: the position of its column.
  Value column(Value firstColumn) { return position(1, firstColumn); }
  /// i1, of one element of such a tile: whether its column, or its row, is
  /// inside the tensor.
  Value isInside(Value firstColumn);
  Value isRowInside();

private:
  /// What an element of a tile is evaluated with.
  struct Place {
    ValueRange pair; ///< the query and the head, where rows have their own
    Value firstColumn;
    bool wholeTile;
  };
  /// A load's value, if it is known; null: it is read.
  using KnownRead = llvm::function_ref<Value(LoadOp)>;

  /// i1: whether a tile lies inside of the tensor with all of its columns.
  Value isWhole(RankedTensorType tile, Value firstColumn);
  /// i1: whether what `load` reads for an even column and for the next lie side
  /// by side, the first aligned to both; null if that is never known.
  Value areNeighboursAligned(LoadOp load, Value firstColumn);
  Value build(ValueRange tiles, Value firstColumn, bool wholeTile,
              Element element, Type elementType, PairRead read);
  Value evaluate(ValueRange leading, const Place &place,
                 LowerAccumulateFn accumulate, KnownRead known,
                 llvm::function_ref<void(LoadOp, Value)> onRead = nullptr);
  bool readsAtColumns(PairRead known);
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
