// Which GPUs run code that was made for a chip.
#ifndef ATTN_RUNTIME_CHIP_H
#define ATTN_RUNTIME_CHIP_H

#include <optional>
#include <string>
#include <string_view>

namespace attn {

/// sm_90a: compute capability 9.0, and code for it alone.
struct Chip {
  int major = 0, minor = 0;
  bool only = false;

  /// As LLVM and ptxas spell it; nothing for another name.
  static std::optional<Chip> named(std::string_view name);
  std::string name() const;

  /// Whether PTX for this chip can be compiled for `other`.
  bool hasPTXFor(const Chip &other) const;
  /// Whether machine code for this chip runs on `other`: of chips with the same
  /// major number the later run code for the earlier.
  bool hasCodeFor(const Chip &other) const;
};

} // namespace attn

#endif // ATTN_RUNTIME_CHIP_H
