// Where a process has PTX made machine code, and keeps it: that takes longer
// than all that was before it.
#ifndef ATTN_RUNTIME_CUBINSTORE_H
#define ATTN_RUNTIME_CUBINSTORE_H

#include <memory>
#include <optional>
#include <string>

namespace attn::cuda {

/// Thread-safe. What it gives may be wrong: a driver then refuses it. It is
/// made whole, as the driver does when it loads PTX: what its linker
/// (cuLinkComplete) makes is for several units, in which setmaxnreg does not
/// count and products wait for each other (1.5 times the time on an H200).
class CubinStore {
public:
  virtual ~CubinStore() = default;
  /// Machine code for `chip`, such as sm_90a; nothing: the driver is to
  /// compile.
  virtual std::optional<std::string> cubinOf(const std::string &chip,
                                             const std::string &ptx) const = 0;
};

/// That of LoadedKernel::load() from now on; null: none, as it is at first.
void setCubinStore(std::shared_ptr<const CubinStore> store);
std::shared_ptr<const CubinStore> cubinStore();

} // namespace attn::cuda

#endif // ATTN_RUNTIME_CUBINSTORE_H
