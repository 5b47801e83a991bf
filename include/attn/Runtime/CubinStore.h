// Where a process keeps what drivers make of PTX: a driver takes longer to
// compile a kernel than all that was before it.
#ifndef ATTN_RUNTIME_CUBINSTORE_H
#define ATTN_RUNTIME_CUBINSTORE_H

#include <memory>
#include <optional>
#include <string>

namespace attn::cuda {

/// Thread-safe. What it has may be wrong: a driver then refuses it.
class CubinStore {
public:
  virtual ~CubinStore() = default;
  /// `assembler`: all that the code depends on besides the PTX, in words.
  virtual std::optional<std::string> find(const std::string &assembler,
                                          const std::string &ptx) const = 0;
  virtual void keep(const std::string &assembler, const std::string &ptx,
                    const std::string &cubin) const = 0;
};

/// That of LoadedKernel::load() from now on; null: none, as it is at first.
void setCubinStore(std::shared_ptr<const CubinStore> store);
std::shared_ptr<const CubinStore> cubinStore();

} // namespace attn::cuda

#endif // ATTN_RUNTIME_CUBINSTORE_H
