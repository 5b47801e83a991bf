// What is in a package. Saved, it is text up to the images, so that it can be
// read:
//
//   attn-package 2
//   checksum 1f3b...            FNV-1a of all that follows, 64 bits
//   made sm90a
//   mod alibi
//   type bf16
//   dimensions 128 128
//   scale 1068827891            the bits of the f32, if it was given
//   has lse exact               and other words of KernelSpec
//   shares 0
//   given-schedule #attn.sch... if it was
//   capture f32 1 - slopes      scalar, query-offset, lengths or -
//   mask 0 1 2 0 0 1            MaskFacts, in their order
//   kernels forward             and once more: gradients
//   wrt 0                       captures, of gradients
//   variant few_tasks(64) and aligned
//   schedule #attn.schedule<...>
//   sum 0 0 0 64 1 0 0 0        of gradients: CaptureSumPlan
//   image 81234                 bytes, which follow, and a line's end
//   variant always              one that was left out has no image
//   tiles lists 128 128
//   image 8123
//   end
#ifndef ATTN_LIB_LAUNCH_PACKAGEIMPL_H
#define ATTN_LIB_LAUNCH_PACKAGEIMPL_H

#include "GradientImpl.h"
#include "KernelImpl.h"
#include "KernelSource.h"

#include "attn/API/KernelPackage.h"

namespace attn {

/// The functions that find tiles of a size.
struct PackagedTiles {
  TileGroup group;
  int64_t queryTile, keyTile;
  KernelImage image;
};

/// The kernels of one plan.
struct PackagedKernels {
  KernelDescription description;
  /// One for each place; without images: left out.
  std::vector<VariantImages> variants;
  std::vector<PackagedTiles> tiles;
};

struct KernelPackage::Impl {
  std::string made, mod;
  PackagedKernels forward;
  std::optional<PackagedKernels> gradients;
};

/// What the package has, on a GPU or, without a number, where KernelSpec says.
AttentionImpl createKernel(const KernelPackage &package,
                           std::optional<int> device);
/// Of a package with gradients.
GradientImpl createGradients(const KernelPackage &package,
                             std::optional<int> device);

/// In the package's text; null if there is none of that name.
const char *toString(TileGroup group);
std::optional<TileGroup> tileGroupNamed(std::string_view name);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_PACKAGEIMPL_H
