// What a schedule costs: threads, shared memory and registers of a kernel that
// is not compiled, so that a space of schedules can be pruned first.
//
// A schedule is one attribute, so this is a function beside it, not an
// interface of attributes: what differs is the kernel.
#ifndef ATTN_ANALYSIS_SCHEDULECOST_H
#define ATTN_ANALYSIS_SCHEDULECOST_H

#include "attn/Dialect/Attn/IR/Schedule.h"

#include <optional>

namespace mlir::attn {

/// A GPU's kernel, as far as its cost depends on it.
struct KernelShape {
  enum class Kind {
    Forward,
    GradQuery,
    GradKeyAndValue,
    GradKey,
    GradValue,
    GradAll,  ///< in one pass over the pairs
    GradRows, ///< those around it
    CapturePairs
  };
  Kind kind = Kind::Forward;
  int64_t elementBytes = 2; ///< 2 or 4
  int64_t headDim = 0, valueDim = 0;
};

/// With more registers of tiles, threads that compute gradients have none left
/// for what can be elsewhere.
inline constexpr int64_t fewTileRegisters = 184;

/// Registers of one thread that copies or inspects, and of one that computes.
struct RegisterShares {
  int32_t producer, consumer;
};

/// What warps with roles have, where threads that compute hold
/// `tileRegisters` of tiles; nullopt: all that a thread can.
std::optional<RegisterShares> registerShares(const Schedule &schedule,
                                             int64_t tileRegisters);

struct ScheduleCost {
  int64_t threads; ///< of a block
  /// Of a block; exactly what tile-place-shared gives it, but for mods that
  /// have no use for the scores: then more than that.
  int64_t sharedBytes;
  /// 32-bit registers of a thread that computes: about so many that it cannot
  /// do without, and those that it has. docs/HopperTarget.md says how far the
  /// first is off.
  int64_t registers, registerLimit;

  /// More shared memory no GPU has for a block.
  static constexpr int64_t mostSharedBytes = 227 * 1024;

  bool fitsSharedMemory() const { return sharedBytes <= mostSharedBytes; }
  /// False: its tiles will be spilled.
  bool fitsRegisters() const { return registers <= registerLimit; }
};

/// `schedule` satisfies the constraints of #attn.schedule.
ScheduleCost costOf(const Schedule &schedule, const KernelShape &kernel);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_SCHEDULECOST_H
