// A kernel compiled ahead of time: what all its launches take, as bytes that a
// program without a compiler loads. `attn-compile` writes them into objects.
#ifndef ATTN_API_KERNELPACKAGE_H
#define ATTN_API_KERNELPACKAGE_H

#include "attn/API/Attention.h"
#include "attn/API/Gradient.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

/// What a package is made for.
struct PackageSpec {
  /// `target` follows from `made`; `device` is not read.
  KernelSpec kernel;
  /// "cpu", "sm80" (every GPU from Ampere on) or "sm90a" (Hopper).
  std::string made = "cpu";
  /// A CPU, as LLVM names it; "native": this machine's. An object for another
  /// machine is best made for what they have in common.
  std::string cpu = "x86-64-v3";
  bool gradients = false;
  std::vector<std::string> wrt = {}; ///< as GradientKernel::compile()
  /// sm90a: kernels for every GPU besides, for other GPUs and for memory that
  /// TMA does not take.
  bool fallback = true;
  /// sm90a: the program that makes cubins of its PTX, which the driver would do
  /// at each load; empty: none.
  std::string ptxas = {};
};

class KernelPackage {
public:
  struct Impl; // lib/Launch/PackageImpl.h
  KernelPackage() = default;
  explicit KernelPackage(std::shared_ptr<const Impl> impl)
      : pimpl(std::move(impl)) {}

  /// Compiles all variants of the plan, and what finds their tiles. Needs no
  /// GPU. Errors: those of AttentionKernel::compile() and
  /// GradientKernel::compile(); of ptxas.
  static Result<KernelPackage> compile(const Mod &mod, const PackageSpec &spec);

  /// The same bytes for equal packages.
  std::string save() const;
  /// Errors: no package, one of another version, one that is not whole, and a
  /// line that means nothing.
  static Result<KernelPackage> load(std::string_view bytes);

  const std::string &made() const; ///< as PackageSpec
  const std::string &modName() const;
  const KernelSpec &spec() const;
  const std::vector<CaptureInfo> &captures() const;
  bool hasGradients() const;
  /// The captures whose gradients it has, by number.
  const std::vector<int64_t> &wrt() const;
  /// Whether the tiles of the mask come from lists.
  bool needsTileLists() const;

  /// The kernel that was compiled, without a compiler. `device`: the number of
  /// the GPU; without it the current context's. Errors: a CPU or GPU that does
  /// not run the code; the loader's or the driver's.
  Result<AttentionKernel> kernel(std::optional<int> device = {}) const;
  /// The same of its gradients. Errors besides: it has none.
  Result<GradientKernel> gradients(std::optional<int> device = {}) const;

  const Impl &impl() const { return *pimpl; }

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_KERNELPACKAGE_H
