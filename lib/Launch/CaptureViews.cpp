// See CaptureViews.h.
#include "CaptureViews.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;

std::vector<int64_t> attn::stridesOf(const CaptureView &view) {
  if (view.strides.empty())
    return contiguousStrides(view.sizes);
  std::vector<int64_t> strides = view.strides;
  if (view.sizes.back() <= 1)
    strides.back() = 1;
  return strides;
}

static bool hasUnitStride(const CaptureView &view) {
  return view.strides.empty() || view.strides.back() == 1 ||
         view.sizes.back() <= 1;
}

bool attn::haveUnitStrides(const std::vector<CaptureView> &views) {
  return std::all_of(views.begin(), views.end(), hasUnitStride);
}

RoleName attn::roleOf(const CaptureInfo &info, size_t number) {
  if (info.isQueryOffset)
    return {Role::QueryOffset};
  if (info.isLengths)
    return {Role::Lengths};
  return {Role::Capture, static_cast<int64_t>(number)};
}

void attn::bindCaptures(Bindings &bindings,
                        const std::vector<CaptureInfo> &infos,
                        const std::vector<CaptureView> &views) {
  for (size_t i = 0; i < views.size(); ++i) {
    RoleName name = roleOf(infos[i], i);
    if (infos[i].isScalar)
      bindings.scalar(name, views[i].data, byteWidth(infos[i].type));
    else if (views[i].strides.empty())
      bindings.memory(name, views[i].data, views[i].sizes);
    else
      bindings.memory(name, views[i].data, views[i].sizes, stridesOf(views[i]));
  }
}

bool attn::binds(ElementType wanted, ElementType given) {
  return wanted == given ||
         (wanted == ElementType::I8 && given == ElementType::U8);
}

/// The sizes, strides and memory of one value.
static Result<void> checkCapture(const CaptureInfo &info,
                                 const CaptureView &view) {
  auto capture = [&] { return "capture '" + info.name + "'"; };
  if (static_cast<int>(view.sizes.size()) != info.rank)
    return Error{"expects " + capture() + " of rank " +
                 std::to_string(info.rank) + ", got " +
                 std::to_string(view.sizes.size())};
  if (view.type && !binds(info.type, *view.type))
    return Error{"expects " + capture() + " of " + toString(info.type) +
                 ", got " + toString(*view.type)};
  bool empty = false;
  for (int64_t size : view.sizes) {
    if (size < 0)
      return Error{"expects " + capture() + " with sizes of at least 0, got " +
                   std::to_string(size)};
    empty |= size == 0;
  }
  if (!view.strides.empty() && view.strides.size() != view.sizes.size())
    return Error{"expects " + std::to_string(info.rank) + " strides for " +
                 capture() + ", got " + std::to_string(view.strides.size())};
  for (int64_t stride : view.strides)
    if (stride < 0)
      return Error{"expects " + capture() +
                   " with strides of at least 0, got " +
                   std::to_string(stride)};
  if (!empty && !view.data)
    return Error{"expects memory for " + capture() + ", got null"};
  return {};
}

Result<void> attn::checkCaptures(const std::vector<CaptureInfo> &expected,
                                 const std::vector<CaptureView> &given) {
  if (expected.size() != given.size())
    return Error{"expects " + std::to_string(expected.size()) +
                 " captures, got " + std::to_string(given.size())};
  for (size_t i = 0; i < given.size(); ++i)
    ATTN_TRY(checkCapture(expected[i], given[i]));
  return {};
}
