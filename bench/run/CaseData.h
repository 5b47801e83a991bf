// Everything of one case in memory: inputs, captures, output and the reference.
#ifndef ATTN_BENCH_RUN_CASEDATA_H
#define ATTN_BENCH_RUN_CASEDATA_H

#include "cases/Cases.h"
#include "cases/Problem.h"
#include "devices/Tensors.h"

#include <map>

namespace attn::bench {

/// Random elements of one type for query, key and value.
using InputPools = std::array<std::vector<std::byte>, 3>;

/// Pools by type, made at first use.
class InputPoolCache {
public:
  const InputPools &get(ElementType type);

private:
  std::map<ElementType, InputPools> pools;
};

/// One case's data. Stays where it was made, as `problem` points into it.
class CaseData {
public:
  /// Allocates and fills the inputs and captures, and computes the reference.
  /// Errors: memory; captures that cannot be made or that the mod would read
  /// out of bounds; a reference that is no number.
  static Result<std::unique_ptr<CaseData>> create(Device &, const Case &,
                                                  const InputPools &);

  const Problem &problem() const { return description; }
  const std::vector<CaptureData> &hostCaptures() const { return captureData; }
  const std::vector<float> &reference() const { return expected; }
  /// The reference's largest absolute value.
  double largestOutput() const { return largest; }
  /// Whether the reference was computed with more precision than a backend has:
  /// f32 against f32 says nothing about the error of either.
  bool hasPreciseReference() const { return precise; }
  GuardedTensor &out() { return output; }

private:
  Result<void> makeTensors(Device &, const Case &, const InputPools &);
  Result<void> makeCaptures(Device &, const Case &);
  Result<void> makeCache(Device &, const Case &, const InputPools &);
  Result<void> makePages(Device &, const Case &, const InputPools &);
  Result<void> makeReference(Device &);
  /// The reference from copies of the inputs on the host, for a device whose
  /// own cannot be computed.
  Result<std::vector<float>> referenceOnHost(Device &);

  Problem description;
  bool precise = true;
  GuardedTensor query, key, value, output;
  KeyCache cache;
  GuardedTensor keyPages, valuePages;
  Buffer lengths, pageTable;
  std::vector<CaptureData> captureData;
  std::vector<Buffer> captureBuffers;
  std::vector<float> expected;
  double largest = 0;
};

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_CASEDATA_H
