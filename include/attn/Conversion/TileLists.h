// The lists of tiles that a kernel visits, as memory: what attn-to-tile-lists
// writes and kernels read that have parameters with the roles list_*.
//
// The first two dimensions are the batches and heads that the mask tells apart:
// 1 for what it does not read. `row` counts query tiles (in transposed lists,
// key tiles).
//
//   order  memref<?x?x?xi32>    [batch][head][i]: the row with the i-th most
//                               entries; of equals, the last first
//   firsts memref<?x?x?xi64>    [batch][head][row]: its first entry in `tiles`
//   counts memref<?x?x?x2xi32>  [batch][head][row]: partial tiles, full tiles
//   tiles  memref<?xi32>        key tiles of all rows: of one row first the
//                               partial ones, then the full ones, both
//                               ascending
//
// `tiles` has at least one entry more than are listed: a kernel may read one
// entry past a row.
#ifndef ATTN_CONVERSION_TILELISTS_H
#define ATTN_CONVERSION_TILELISTS_H

#include "attn/Runtime/Signature.h"

#include "mlir/IR/BuiltinTypes.h"

namespace mlir::attn {

/// The parameters of a kernel that reads lists: order, firsts, counts, tiles.
inline SmallVector<std::pair<::attn::Role, Type>>
tileListParameters(MLIRContext *context) {
  using ::attn::Role;
  int64_t dynamic = ShapedType::kDynamic;
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  return {
      {Role::ListOrder, MemRefType::get({dynamic, dynamic, dynamic}, i32)},
      {Role::ListFirsts, MemRefType::get({dynamic, dynamic, dynamic}, i64)},
      {Role::ListCounts, MemRefType::get({dynamic, dynamic, dynamic, 2}, i32)},
      {Role::ListTiles, MemRefType::get({dynamic}, i32)}};
}

/// The functions that attn-to-tile-lists makes of `@layer`, in the order in
/// which they run. All take the same parameters, by these roles:
///
///   capture, by number
///   query_count, key_count: index
///   searcher_count index: how many tasks share the tiles of a word that the
///                 logic leaves open; divides 32
///   query_parts   memref<?x?x?x?x2xi32> [part][batch][head][query tile]: the
///                 least and greatest value of each part (MaskLogic::parts)
///                 on a tile, floats by their bits
///   key_parts     the same for [..][key tile]
///   query_leaders memref<?x?x?x?xi32> [batch][head][query tile][word]: a bit
///                 for each query of a tile that is the first of its class
///                 (PositionClasses), and maybe for others; empty if there is
///                 one class
///   key_leaders   the same for [..][key tile][word]
///   kept_tiles, full_tiles  memref<?x?x?x?xi32> [batch][head][query
///   tile][word]: in a
///                 word a bit for each of 32 key tiles, whether some pair is
///                 kept, and whether all are; zero before
///   list_order, list_firsts, list_counts, list_tiles  as above
///   list_total    memref<?xi64>         the sum of the counts; zero before
///   list_pairs    memref<?x?x?xi64>     [batch][head][query tile]: pairs kept
namespace tile_lists {
// For lists.
/// Parts and leaders. Tasks: [batch][head][query tile], [..][key tile].
constexpr const char *queryParts = "_query_parts";
constexpr const char *keyParts = "_key_parts";
/// Tasks: [batch][head][query tile][word][searcher].
constexpr const char *classify = "_classify";
/// Tasks: [batch][head][row]. `count` writes counts and firsts, `fill` order
/// and tiles.
constexpr const char *count = "_count";
constexpr const char *fill = "_fill";
// For transposed lists, from the bits of others: rows are key tiles.
constexpr const char *countTransposed = "_count_transposed";
constexpr const char *fillTransposed = "_fill_transposed";
// For pairs, from the bits. Tasks: [batch][head][query tile].
constexpr const char *countPairs = "_count_pairs";
} // namespace tile_lists

} // namespace mlir::attn

#endif // ATTN_CONVERSION_TILELISTS_H
