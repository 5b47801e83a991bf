// The gradients of captures in a launch: which are asked for, and the memory in
// which kernels sum them (attn/Conversion/CaptureSums.h).
#ifndef ATTN_LIB_API_CAPTUREGRADIENTS_H
#define ATTN_LIB_API_CAPTUREGRADIENTS_H

#include "attn/API/Gradient.h"
#include "attn/Runtime/Signature.h"

namespace attn {

/// How one sum is made; its number is its place among the others.
struct CaptureSumPlan {
  enum class Of { Queries, Keys, Pairs };
  int64_t capture = 0;
  Of of = Of::Pairs;
  bool ownsBatch = false, ownsHead = false, ownsQuery = false;
};

/// The captures of a mod that `names` names, by number, in the same order.
/// Errors: no such capture, one of integers, one that is named twice.
Result<std::vector<int64_t>>
findCaptures(const Mod &mod, const std::vector<std::string> &names);

/// How many elements a captured value has.
int64_t elementsOf(const CaptureView &view);

/// The workspaces of the sums of one launch, one after the other.
class CaptureWorkspace {
public:
  /// Of `sizes` batch, heads, queries and keys count.
  CaptureWorkspace(const std::vector<CaptureSumPlan> &plans,
                   const ProblemSizes &sizes, int64_t queryTile,
                   const std::vector<CaptureView> &captures);

  int64_t floats() const { return total; }
  /// Whether the pairs of a sum go to one slot, which is the gradient itself.
  bool isDirect(size_t sum) const { return blocks[sum].isDirect; }
  /// Binds workspaces, of which `memory` holds floats(), and makes zeros of
  /// slots. `gradients`: of captures, by number; zero.
  void bind(Bindings &bindings, float *memory,
            const std::vector<float *> &gradients) const;

private:
  struct Block {
    std::vector<int64_t> shape;
    int64_t capture = 0;
    bool isDirect = false, isSlots = false;
    int64_t floats() const;
  };
  std::vector<Block> blocks;
  int64_t total = 0;
};

} // namespace attn

#endif // ATTN_LIB_API_CAPTUREGRADIENTS_H
