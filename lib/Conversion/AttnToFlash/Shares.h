// Even shares of what the tasks of a forward kernel have to do, wherever these
// begin and end (Tiling::shares): what a launch of few tasks deals out.
//
// On a line each task has one position for itself, so that one that visits
// nothing is done as well, and one for each of its visits. Tasks are in the
// order of their query tile, batch and head: those that a mask cannot tell
// apart are equally long, and next to each other.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_SHARES_H
#define ATTN_CONVERSION_ATTNTOFLASH_SHARES_H

#include "ForwardTasks.h"

namespace mlir::attn {

/// index: so many shares as `partialSums` has memory for.
Value countShares(ImplicitLocOpBuilder &builder, Value partialSums);

/// The slot (index) of a share for its part of a task that does not begin in
/// it, and for one that does (`isFirst`, i1), and goes on behind it.
Value slotOfShare(TileBuilder &builder, Value share, Value isFirst);

/// i1: whether there are fewer shares than tasks, and what is merged is told
/// by share (Role::PartialCounts).
Value countsAreOfShares(TileBuilder &builder, ForwardTasks &tasks,
                        const FlashOperands &operands);

/// All values are of type index.
class Shares : TileBuilder {
public:
  /// Measures the line, and makes `count` shares of it, or fewer of a short one;
  /// no two differ by more than one position.
  Shares(ImplicitLocOpBuilder &builder, ForwardTasks &tasks, Value count);

  /// A task, and where it begins.
  struct Task {
    Value number, start;
  };
  /// The one with this position.
  Task find(Value position);
  /// Where a share begins; those behind the last begin at the line's end.
  Value begin(Value share);
  /// The share with this position.
  Value shareOf(Value position);

  /// Of a task that has these visits.
  Value lengthOf(const Visits &visits);

private:
  ForwardTasks &tasks;
  Value total, number; ///< positions of the line, shares of it
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_SHARES_H
