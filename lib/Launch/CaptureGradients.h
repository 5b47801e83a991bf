// The gradients of captures in a launch: which are asked for, and the memory in
// which kernels sum them (attn/Conversion/CaptureSums.h).
#ifndef ATTN_LIB_LAUNCH_CAPTUREGRADIENTS_H
#define ATTN_LIB_LAUNCH_CAPTUREGRADIENTS_H

#include "attn/API/Gradient.h"
#include "attn/Runtime/Signature.h"

namespace attn {

/// How one sum is made; its number is its place among the others.
struct CaptureSumPlan {
  int64_t capture = 0;
  /// Whether a kernel of other gradients carries it: it makes sums of rows.
  bool isCarried = false;
  /// Whether the rows, or else its tasks, are of keys; else of queries.
  bool ownsKeys = false;
  /// Positions of what a task owns in the kernel that adds pairs, or rows, to
  /// slots; 0: there are no slots.
  int64_t ownTile = 0;
  /// Slots in memory for one: on a GPU each warp may have its own.
  int64_t copies = 1;
  /// Whether tasks that differ in these positions (of rows: on the axis that
  /// tasks own) add to different elements.
  bool ownsBatch = false, ownsHead = false, ownsRows = false;

  bool hasSlots() const { return ownTile != 0; }
  friend bool operator==(const CaptureSumPlan &a, const CaptureSumPlan &b) {
    return a.capture == b.capture && a.isCarried == b.isCarried &&
           a.ownsKeys == b.ownsKeys && a.ownTile == b.ownTile &&
           a.copies == b.copies && a.ownsBatch == b.ownsBatch &&
           a.ownsHead == b.ownsHead && a.ownsRows == b.ownsRows;
  }
};

/// How many elements a captured value has.
int64_t elementsOf(const CaptureView &view);

/// The workspaces of the sums of one launch, one after the other.
class CaptureWorkspace {
public:
  /// Of `sizes` batch, heads, queries and keys count.
  CaptureWorkspace(const std::vector<CaptureSumPlan> &plans,
                   const ProblemSizes &sizes,
                   const std::vector<CaptureView> &captures);

  int64_t floats() const { return total; }
  /// At least as many as all launches of a range have whose captures have at
  /// most as many elements as `captures`.
  static int64_t mostFloats(const std::vector<CaptureSumPlan> &plans,
                            const SizeRange &range,
                            const std::vector<CaptureView> &captures);
  /// Whether a sum has one slot, which is the gradient itself.
  bool isDirect(size_t sum) const { return blocks[sum].isDirect; }
  /// How many tasks the kernel that fills the slots of a sum has, and of how
  /// many elements the gradient is.
  int64_t tasks(size_t sum) const { return blocks[sum].tasks; }
  int64_t elements(size_t sum) const { return blocks[sum].elements; }
  /// Binds workspaces, of which `memory` holds floats(). `gradients`: of
  /// captures, by number.
  void bind(Bindings &bindings, float *memory,
            const std::vector<float *> &gradients) const;

  struct Floats {
    float *data;
    int64_t count;
  };
  /// What must be zero before a launch.
  std::vector<Floats> slots(float *memory) const;

private:
  /// Of a sum: its rows, before its slots.
  struct Block {
    std::vector<int64_t> rows, slots; ///< shapes; empty: there are none
    int64_t capture = 0, elements = 0, tasks = 0;
    bool isDirect = false;
    int64_t rowFloats() const;
    int64_t slotFloats() const;
  };
  static Block blockOf(const CaptureSumPlan &plan, const ProblemSizes &sizes,
                       int64_t elements);

  std::vector<Block> blocks;
  int64_t total = 0;
};

} // namespace attn

#endif // ATTN_LIB_LAUNCH_CAPTUREGRADIENTS_H
