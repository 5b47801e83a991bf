// Makes the data of a case.
#include "run/CaseData.h"

#include "cases/Cache.h"
#include "references/Check.h"
#include "references/Reference.h"

#include "attn/Support/Try.h"

#include <cmath>

using namespace attn;
using namespace attn::bench;

const InputPools &InputPoolCache::get(ElementType type) {
  InputPools &entry = pools[type];
  if (entry[0].empty())
    for (size_t i = 0; i < entry.size(); ++i)
      entry[i] = normalPool(type, 123 + i);
  return entry;
}

Result<std::unique_ptr<CaseData>>
CaseData::create(Device &device, const Case &item, const InputPools &pools) {
  auto data = std::make_unique<CaseData>();
  ATTN_TRY(data->makeTensors(device, item, pools));
  ATTN_TRY(data->makeCaptures(device, item));
  ATTN_TRY(data->makeCache(device, item, pools));
  ATTN_TRY(data->makeReference(device));
  return data;
}

Result<void> CaseData::makeTensors(Device &device, const Case &item,
                                   const InputPools &pools) {
  const ProblemSizes &s = item.sizes;
  description.pattern = item.mod->label;
  description.mod = &item.mod->mod;
  description.sizes = s;
  description.type = item.type;
  description.queryOffset = item.queryOffset;
  description.scale = 1 / std::sqrt(static_cast<float>(s.headDim));
  struct Input {
    GuardedTensor &tensor;
    TensorView &view;
    std::array<int64_t, 4> sizes;
  };
  Input inputs[] = {
      {query, description.query, {s.batch, s.heads, s.queries, s.headDim}},
      {key, description.key, {s.batch, s.kvHeads, s.keys, s.headDim}},
      {value, description.value, {s.batch, s.kvHeads, s.keys, s.valueDim}}};
  for (size_t i = 0; i < 3; ++i) {
    Input &input = inputs[i];
    ATTN_TRY_ASSIGN(input.tensor,
                    GuardedTensor::create(device, item.type, input.sizes));
    input.view = input.tensor.view();
    ATTN_TRY(input.tensor.fillWithNaN());
    ATTN_TRY(input.tensor.fillFrom(pools[i]));
  }
  ATTN_TRY_ASSIGN(
      output, GuardedTensor::create(device, item.type,
                                    {s.batch, s.heads, s.queries, s.valueDim}));
  description.out = output.view();
  return {};
}

Result<void> CaseData::makeCaptures(Device &device, const Case &item) {
  ATTN_TRY_ASSIGN(captureData, bench::makeCaptures(item));
  description.hostCaptures = &captureData;
  description.captures = viewsOf(captureData);
  ATTN_TRY(item.mod->mod.check(item.sizes, description.captures));
  for (size_t i = 0; i < captureData.size(); ++i) {
    const CaptureData &capture = captureData[i];
    if (item.mod->mod.captures()[i].isScalar)
      continue; // It stays on the host.
    int64_t bytes = static_cast<int64_t>(capture.bytes.size());
    ATTN_TRY_ASSIGN(Buffer buffer, Buffer::create(device, bytes));
    ATTN_TRY(device.copyIn(buffer.data(), capture.bytes.data(), bytes));
    description.captures[i].data = buffer.data();
    captureBuffers.push_back(std::move(buffer));
  }
  return {};
}

/// Copies numbers to the device.
static Result<Buffer> bufferOf(Device &device,
                               const std::vector<int32_t> &numbers) {
  auto bytes = static_cast<int64_t>(numbers.size() * sizeof(int32_t));
  ATTN_TRY_ASSIGN(Buffer buffer, Buffer::create(device, bytes));
  ATTN_TRY(device.copyIn(buffer.data(), numbers.data(), bytes));
  return buffer;
}

/// Behind the keys of a sequence lie others, as in a cache that was in use.
Result<void> CaseData::makeCache(Device &device, const Case &item,
                                 const InputPools &pools) {
  if (!item.lengthRule)
    return {};
  cache.lengths = item.keyLengths;
  ATTN_TRY_ASSIGN(lengths, bufferOf(device, cache.lengths));
  cache.deviceLengths = static_cast<const int32_t *>(lengths.data());
  description.cache = &cache;
  return item.pageRows ? makePages(device, item, pools) : Result<void>();
}

/// Copies the keys of each sequence into the pages that are drawn for it.
Result<void> CaseData::makePages(Device &device, const Case &item,
                                 const InputPools &pools) {
  const ProblemSizes &s = item.sizes;
  int64_t rows = item.pageRows;
  PageTable drawn = drawPages(cache.lengths, s.keys, rows, item.seed);
  KeyPages &pages = cache.pages.emplace();
  struct {
    GuardedTensor &tensor;
    TensorView &view;
    const TensorView &from;
    const std::vector<std::byte> &stale;
  } both[] = {{keyPages, pages.key, description.key, pools[1]},
              {valuePages, pages.value, description.value, pools[2]}};
  for (auto &[tensor, view, from, stale] : both) {
    ATTN_TRY_ASSIGN(tensor, GuardedTensor::create(
                                device, item.type,
                                {drawn.pages, s.kvHeads, rows, from.sizes[3]}));
    view = tensor.view();
    ATTN_TRY(tensor.fillWithNaN());
    ATTN_TRY(tensor.fillFrom(stale));
    int64_t width = byteWidth(item.type);
    auto at = [&](const TensorView &of, int64_t outer, int64_t position) {
      return static_cast<char *>(of.data) +
             (outer * of.strides[0] + position * of.strides[2]) * width;
    };
    // The rows of a page adjoin, as those of a sequence do.
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t first = 0; first < cache.lengths[b]; first += rows) {
        int64_t count = std::min(rows, cache.lengths[b] - first);
        int32_t page = drawn.ids[b * drawn.columns + first / rows];
        ATTN_TRY(device.copy(at(view, page, 0), at(from, b, first),
                             count * from.strides[2] * width));
      }
  }
  ATTN_TRY_ASSIGN(pageTable, bufferOf(device, drawn.ids));
  pages.table = static_cast<const int32_t *>(pageTable.data());
  pages.columns = drawn.columns;
  return device.synchronize();
}

Result<std::vector<float>> CaseData::referenceOnHost(Device &device) {
  Problem onHost = description;
  onHost.captures = viewsOf(captureData);
  std::vector<std::byte> copies[3];
  TensorView *views[] = {&onHost.query, &onHost.key, &onHost.value};
  for (size_t i = 0; i < 3; ++i) {
    TensorView &view = *views[i];
    copies[i].resize(view.sizes[0] * view.strides[0] * byteWidth(view.type));
    ATTN_TRY(device.copyOut(copies[i].data(), view.data, copies[i].size()));
    view = hostView(view, copies[i]);
  }
  std::unique_ptr<Device> host = createCPUDevice();
  return referenceCPU(*host, onHost);
}

/// Multiplications and additions of both products, nothing skipped.
static double operations(const ProblemSizes &s) {
  return 2.0 * s.batch * s.heads * s.queries * s.keys *
         (s.headDim + s.valueDim);
}

Result<void> CaseData::makeReference(Device &device) {
  // The GPU's reference is f32: f32 results want one in f64, from the host, as
  // long as that takes seconds.
  constexpr double hostLimit = 1e11;
  bool cuda = device.target() == Target::CUDA;
  bool isF32 = description.type == ElementType::F32;
  bool onHost = cuda && isF32 && operations(description.sizes) <= hostLimit;
  Result<std::vector<float>> computed = onHost ? referenceOnHost(device)
                                        : cuda
                                            ? referenceCUDA(device, description)
                                            : referenceCPU(device, description);
  precise = !cuda || !isF32 || onHost;
  if (!computed && cuda && !onHost) {
    computed = referenceOnHost(device);
    precise = true;
  }
  if (!computed)
    return Error{"no reference: " + computed.error()};
  expected = std::move(*computed);
  largest = largestMagnitude(expected);
  if (!std::isfinite(largest))
    return Error{"the reference itself is not finite"};
  return {};
}
