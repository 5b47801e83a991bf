// Where the launching side gets what it does not have: a compiler in this
// process, or a package that was made ahead of time. It gets images, whichever
// it is, and makes of them the same kernels.
#ifndef ATTN_LIB_LAUNCH_KERNELSOURCE_H
#define ATTN_LIB_LAUNCH_KERNELSOURCE_H

#include "CaptureGradients.h"

#include "attn/API/Attention.h"
#include "attn/Runtime/Guard.h"
#include "attn/Runtime/KernelImage.h"

#include <memory>
#include <string>
#include <vector>

namespace attn {

/// The functions of attn/Conversion/TileLists.h, in groups that are compiled
/// together, when the first one is needed.
enum class TileGroup { Lists, Transposed, Pairs };
constexpr size_t tileGroups = 3;

/// What finding tiles must know of a mask.
struct MaskFacts {
  bool readsBatch = false, readsHead = false;
  int64_t queryParts = 0, keyParts = 0;                ///< how many
  bool hasQueryClasses = false, hasKeyClasses = false; ///< more than one

  friend bool operator==(const MaskFacts &a, const MaskFacts &b) {
    return a.readsBatch == b.readsBatch && a.readsHead == b.readsHead &&
           a.queryParts == b.queryParts && a.keyParts == b.keyParts &&
           a.hasQueryClasses == b.hasQueryClasses &&
           a.hasKeyClasses == b.hasKeyClasses;
  }
};

/// All that is known of a kernel before there is code.
struct KernelDescription {
  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  MaskFacts mask;
  LaunchPlan plan;
  std::vector<int64_t> wrt; ///< of gradients: captures, as they were asked for
};

/// The kernels that a place of the plan stands for. Their order, over all
/// images, is that of their launches: of a forward pass the kernel, and behind
/// one of shares what merges; of gradients those of query, key and value, then
/// for each sum the kernel of pairs, if there is one, and that of the sum.
struct VariantImages {
  std::vector<KernelImage> images;
  std::string schedule;             ///< as text
  std::vector<CaptureSumPlan> sums; ///< of gradients
};

/// Thread-safe, as all sources are.
class TileSource {
public:
  virtual ~TileSource() = default;
  /// The functions of a group, in their order.
  virtual Result<KernelImage> tiles(TileGroup group, int64_t queryTile,
                                    int64_t keyTile) const = 0;
};

class KernelSource : public TileSource {
public:
  /// Errors: it cannot be compiled; it was not compiled.
  virtual Result<VariantImages> variant(size_t place) const = 0;
};

using SharedSource = std::shared_ptr<const KernelSource>;

} // namespace attn

#endif // ATTN_LIB_LAUNCH_KERNELSOURCE_H
