// What only the device knows of a launch, looked at on the host: lengths,
// starts of sequences and tables of pages that say what has no meaning of its
// own (KernelSpec::checked).
#ifndef ATTN_LIB_LAUNCH_CHECKEDNUMBERS_H
#define ATTN_LIB_LAUNCH_CHECKEDNUMBERS_H

#include "KernelImpl.h"

#include <functional>

namespace attn {

class CheckedNumbers {
public:
  /// Copies memory of the target to the host, and waits for it.
  using Copy =
      std::function<Result<void>(void *to, const void *from, int64_t bytes)>;
  explicit CheckedNumbers(Copy copy) : copy(std::move(copy)) {}

  /// Of a tensor of i32 with any strides, its elements.
  Result<std::vector<int32_t>> read(const CaptureView &view) const;

  /// Starts that fall, or are outside of the `rows` of `tensor`.
  Result<std::vector<int32_t>>
  starts(const char *tensor, const SequenceStarts &given, int64_t rows) const;
  /// Lengths below zero or beyond the room that their sequences have.
  Result<std::vector<int32_t>>
  lengths(const CaptureView &given,
          const std::function<int64_t(size_t sequence)> &roomOf) const;

  /// Some keys of a sequence.
  struct Keys {
    int64_t first = 0, end = 0;
  };
  /// Entries of these keys that number no page. `heap`: the keys in pages.
  Result<void> pages(const CaptureView &table, const TensorView &heap,
                     const std::vector<Keys> &ofSequences) const;

private:
  Copy copy;
};

/// All of the above for an attention, whose lengths are one of the captures.
Result<void> checkNumbers(const AttentionKernel::Impl &kernel,
                          const KernelArguments &arguments);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_CHECKEDNUMBERS_H
