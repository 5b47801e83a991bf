// See CheckedNumbers.h.
#include "CheckedNumbers.h"

#include "CaptureViews.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;

static std::string ofSequence(size_t sequence) {
  return " for sequence " + std::to_string(sequence);
}

Result<std::vector<int32_t>>
CheckedNumbers::read(const CaptureView &view) const {
  std::vector<int64_t> strides = stridesOf(view);
  int64_t count = 1, extent = 1;
  for (size_t d = 0; d < view.sizes.size(); ++d) {
    count *= view.sizes[d];
    extent += (view.sizes[d] - 1) * strides[d];
  }
  std::vector<int32_t> result(count);
  if (count == 0)
    return result;
  std::vector<int32_t> memory(extent);
  ATTN_TRY(copy(memory.data(), view.data,
                extent * static_cast<int64_t>(sizeof(int32_t))));
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, place = 0;
    for (size_t d = view.sizes.size(); d-- > 0; rest /= view.sizes[d])
      place += rest % view.sizes[d] * strides[d];
    result[i] = memory[place];
  }
  return result;
}

Result<std::vector<int32_t>> CheckedNumbers::starts(const char *tensor,
                                                    const SequenceStarts &given,
                                                    int64_t rows) const {
  ATTN_TRY_ASSIGN(std::vector<int32_t> starts,
                  read(CaptureView{given.starts, {given.sequences + 1}}));
  std::string name = std::string("starts of '") + tensor + "'";
  for (size_t i = 0; i < starts.size(); ++i) {
    // All but the first are where a sequence ends.
    size_t sequence = i ? i - 1 : 0;
    if (starts[i] < 0 || starts[i] > rows)
      return Error{"expects " + name + " from 0 to " + std::to_string(rows) +
                   ", got " + std::to_string(starts[i]) + ofSequence(sequence)};
    if (i && starts[i] < starts[i - 1])
      return Error{"expects " + name + " that do not fall, got " +
                   std::to_string(starts[i]) + " behind " +
                   std::to_string(starts[i - 1]) + ofSequence(sequence)};
  }
  return starts;
}

Result<std::vector<int32_t>>
CheckedNumbers::lengths(const CaptureView &given,
                        const std::function<int64_t(size_t)> &roomOf) const {
  ATTN_TRY_ASSIGN(std::vector<int32_t> lengths, read(given));
  for (size_t i = 0; i < lengths.size(); ++i)
    if (int64_t room = roomOf(i); lengths[i] < 0 || lengths[i] > room)
      return Error{"expects lengths from 0 to the room of " +
                   std::to_string(room) + ", got " +
                   std::to_string(lengths[i]) + ofSequence(i)};
  return lengths;
}

Result<void> CheckedNumbers::pages(const CaptureView &table,
                                   const TensorView &heap,
                                   const std::vector<Keys> &ofSequences) const {
  ATTN_TRY_ASSIGN(std::vector<int32_t> entries, read(table));
  int64_t most = table.sizes[1], count = heap.sizes[0], rows = heap.sizes[2];
  for (size_t i = 0; i < ofSequences.size(); ++i) {
    auto [first, end] = ofSequences[i];
    for (int64_t key = first; key < end; key = (key / rows + 1) * rows) {
      int32_t page = entries[i * most + key / rows];
      if (page < 0 || page >= count)
        return Error{"expects pages below " + std::to_string(count) + ", got " +
                     std::to_string(page) + " for key " + std::to_string(key) +
                     " of sequence " + std::to_string(i)};
    }
  }
  return {};
}

Result<void> attn::checkNumbers(const AttentionKernel::Impl &kernel,
                                const KernelArguments &a) {
  CheckedNumbers numbers([&](void *to, const void *from, int64_t bytes) {
    return kernel.copyToHost(to, from, bytes, a.stream);
  });
  if (kernel.spec.raggedQueries)
    ATTN_TRY(numbers.starts("query", a.queryStarts, a.query.sizes[2]));
  std::vector<int32_t> keyStarts;
  if (kernel.spec.raggedKeys) {
    ATTN_TRY_ASSIGN(keyStarts,
                    numbers.starts("key", a.keyStarts, a.key.sizes[2]));
  }
  auto roomOf = [&](size_t i) -> int64_t {
    return keyStarts.empty() ? a.keys() : keyStarts[i + 1] - keyStarts[i];
  };
  for (size_t i = 0; i < kernel.captures.size(); ++i) {
    if (!kernel.captures[i].isLengths)
      continue;
    ATTN_TRY_ASSIGN(std::vector<int32_t> lengths,
                    numbers.lengths(a.captures[i], roomOf));
    if (!a.pages)
      continue;
    std::vector<CheckedNumbers::Keys> keys;
    for (int32_t length : lengths)
      keys.push_back({0, length});
    ATTN_TRY(numbers.pages(*a.pages, a.key, keys));
  }
  return {};
}
