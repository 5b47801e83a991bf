// What #attn.schedule says, as plain numbers: to be read, and to be written or
// varied field by field. AttnAttrs.td has the constraints.
#ifndef ATTN_DIALECT_ATTN_IR_SCHEDULE_H
#define ATTN_DIALECT_ATTN_IR_SCHEDULE_H

#include <cstdint>
#include <vector>

namespace mlir::attn {

/// What a task owns, and what it visits.
struct Tiling {
  int64_t q = 0, kv = 0;   ///< queries and keys of one tile
  bool ownsKeys = false;   ///< else queries
  bool once = false;       ///< tasks of keys make gradients of queries as well
  bool pack = false;       ///< rows are queries of all heads that share keys
  bool shares = false;     ///< tasks are even shares of all visits
  int64_t chunk = 0;       ///< visits that a task does at least of a tile's;
                           ///< 0: all
  int64_t cache = 8 << 20; ///< bytes for what tasks that run together visit

  /// Positions of a tile that a task owns: rows of its scores.
  int64_t getRows() const { return ownsKeys ? kv : q; }
  /// Those of a tile that it visits: columns.
  int64_t getColumns() const { return ownsKeys ? q : kv; }
  /// Whether what tasks make of parts of a tile's visits is merged behind them.
  bool hasParts() const { return shares || chunk != 0; }
};

/// Who does what in a thread block.
struct WarpRoles {
  int64_t warps = 1;     ///< that compute, of those that have the same keys
  int64_t keyWarps = 1;  ///< among whom the keys of a step are dealt
  int64_t producers = 0; ///< warps beside them, which copy
  bool pingpong = false; ///< groups of four warps take turns
  int64_t minBlocks = 1; ///< on a multiprocessor, by registers

  bool hasProducers() const { return producers != 0; }
  /// Threads that have a tile of rows together.
  int64_t getComputingThreads() const { return 32 * warps; }
  /// Threads of a block.
  int64_t getThreads() const { return 32 * (warps * keyWarps + producers); }
};

/// How tiles come in, and how results leave.
struct CopyPipeline {
  int64_t stages = 1;     ///< places for each tensor of which tiles are visited
  int64_t taskStages = 1; ///< and for each that a task loads once
  bool persistent = false; ///< blocks do one task after another
  bool drain = false;      ///< results leave through shared memory, by TMA
  bool eager = false;      ///< copies are as far ahead as can be
  bool unaligned = false;  ///< rows may start anywhere
  bool readOnce = false;   ///< the L2 cache need not keep what is visited
  bool dependent = false;  ///< the next kernel begins before this one ends

  /// Places for a tensor of which tiles are visited: the `first` that a step
  /// needs, or another.
  int64_t getStepStages(bool first) const { return stages + (eager && !first); }
};

struct Schedule {
  Tiling tiling;
  WarpRoles roles;
  CopyPipeline pipeline;

  /// Columns of scores that a warp makes in one step.
  int64_t getOwnColumns() const { return tiling.getColumns() / roles.keyWarps; }
};

/// Calls `visit` with the name and a reference to each field, in the order in
/// which the text has them.
template <typename Visitor> void forEachField(Tiling &part, Visitor visit) {
  visit("q", part.q), visit("kv", part.kv);
  visit("owns_keys", part.ownsKeys), visit("once", part.once);
  visit("pack", part.pack);
  visit("shares", part.shares);
  visit("chunk", part.chunk);
  visit("cache", part.cache);
}
template <typename Visitor> void forEachField(WarpRoles &part, Visitor visit) {
  visit("warps", part.warps), visit("key_warps", part.keyWarps);
  visit("producers", part.producers);
  visit("pingpong", part.pingpong), visit("min_blocks", part.minBlocks);
}
template <typename Visitor>
void forEachField(CopyPipeline &part, Visitor visit) {
  visit("stages", part.stages), visit("task_stages", part.taskStages);
  visit("persistent", part.persistent), visit("drain", part.drain);
  visit("eager", part.eager), visit("unaligned", part.unaligned);
  visit("read_once", part.readOnce), visit("dependent", part.dependent);
}

/// The values of all fields: parts are equal where these are.
template <typename Part> std::vector<int64_t> valuesOf(Part part) {
  std::vector<int64_t> values;
  forEachField(part, [&](const char *, auto &field) {
    values.push_back(static_cast<int64_t>(field));
  });
  return values;
}
inline bool operator==(const Tiling &a, const Tiling &b) {
  return valuesOf(a) == valuesOf(b);
}
inline bool operator==(const WarpRoles &a, const WarpRoles &b) {
  return valuesOf(a) == valuesOf(b);
}
inline bool operator==(const CopyPipeline &a, const CopyPipeline &b) {
  return valuesOf(a) == valuesOf(b);
}

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_SCHEDULE_H
