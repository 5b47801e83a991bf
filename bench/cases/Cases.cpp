// Expands a configuration into cases.
#include "cases/Cases.h"

#include "support/Parallel.h"

#include "attn/Support/Try.h"

#include <cstdio>
#include <cstring>
#include <set>

using namespace attn;
using namespace attn::bench;

/// Positions are i32.
static constexpr int64_t maxPosition = 2147483647;

/// The batch size that makes K and V together `megabytes` large.
static int64_t batchOf(int64_t megabytes, const ProblemSizes &sizes,
                       ElementType type) {
  int64_t perSequence = sizes.kvHeads * sizes.keys *
                        (sizes.headDim + sizes.valueDim) * byteWidth(type);
  return perSequence ? (megabytes << 20) / perSequence : 0;
}

static std::string shapeOf(const ProblemSizes &sizes) {
  std::string dim = std::to_string(sizes.headDim);
  if (sizes.valueDim != sizes.headDim)
    dim += "/" + std::to_string(sizes.valueDim);
  return "(" + std::to_string(sizes.batch) + "," + std::to_string(sizes.heads) +
         "," + std::to_string(sizes.queries) + "," +
         std::to_string(sizes.kvHeads) + "," + std::to_string(sizes.keys) +
         "," + dim + ")";
}

/// Runs a batch as one long sequence, for mods that tell sequences apart.
static void foldBatch(Case &item) {
  ProblemSizes &sizes = item.sizes;
  if (sizes.batch * std::max(sizes.queries, sizes.keys) > maxPosition) {
    item.refusal = "unsupported: the folded sequence is longer than 2^31-1";
    return;
  }
  sizes.queries *= sizes.batch;
  sizes.keys *= sizes.batch;
  sizes.batch = 1;
}

static Case makeCase(const Config &config, const LoadedMod &mod,
                     ElementType type, ProblemSizes sizes, int64_t kvSize) {
  Case item;
  item.mod = &mod;
  item.type = type;
  item.backward = config.backward;
  if (kvSize)
    sizes.batch = batchOf(kvSize, sizes, type);
  if (config.decoding) {
    sizes.queries = 1;
    item.queryOffset = sizes.keys / 2;
  }
  sizes.sequences = sizes.batch;
  item.sizes = item.asked = sizes;
  item.shape = shapeOf(sizes);
  if (sizes.batch == 0)
    item.refusal = "skipped: one sequence is larger than kv_size " +
                   std::to_string(kvSize) + " MiB";
  else if (config.decoding && mod.mod.foldsBatch())
    item.refusal = "unsupported: a folded batch has no one query to decode";
  else if (mod.mod.foldsBatch())
    foldBatch(item);
  return item;
}

/// How many cases there will be, at most.
static Result<void> checkCount(const Config &config, size_t mods) {
  std::string factors;
  double count = 1; // of a product that may not fit any integer
  auto times = [&](size_t number, const char *what) {
    count *= static_cast<double>(number);
    if (number > 1)
      factors += (factors.empty() ? "" : " x ") + std::to_string(number) + what;
  };
  times(config.kvSizes.empty() ? config.batches.size() : config.kvSizes.size(),
        config.kvSizes.empty() ? " batch sizes" : " cache sizes");
  times(config.heads.size(), " head counts");
  times(config.lengths.size(), " lengths");
  times(config.dims.size(), " dimensions");
  times(mods, " patterns");
  times(config.types.size(), " types");
  if (count <= mostCases)
    return {};
  char text[64];
  std::snprintf(text, sizeof(text), "%.0f", count);
  return errorAt("attn-bench", "expects at most " + std::to_string(mostCases) +
                                   " cases, got " + text + ": " + factors);
}

/// Equal for cases that are the same measurement.
static std::string identityOf(const Case &item) {
  return item.mod->path + " " + labelOf(item) + " " +
         std::to_string(item.queryOffset) + item.refusal;
}

Result<std::vector<CaptureData>> attn::bench::makeCaptures(const Case &item) {
  const Mod &mod = item.mod->mod;
  Result<std::vector<CaptureData>> made = mod.makeCaptures(item.sizes);
  if (!made || mod.captures().empty() || !mod.captures().back().isQueryOffset)
    return made;
  auto offset = static_cast<int32_t>(item.queryOffset);
  std::memcpy(made->back().bytes.data(), &offset, sizeof offset);
  return made;
}

Case attn::bench::firstCase(const Config &config,
                            const std::vector<LoadedMod> &mods) {
  Config first = config;
  first.batches.resize(1);
  first.kvSizes.resize(std::min<size_t>(1, first.kvSizes.size()));
  for (auto *pairs : {&first.heads, &first.lengths, &first.dims})
    pairs->resize(1);
  first.types.resize(1);
  std::vector<std::string> notes;
  Case item = listCases(first, {mods[0]}, notes)->front();
  item.mod = &mods[0];
  return item;
}

Result<std::vector<Case>>
attn::bench::listCases(const Config &config, const std::vector<LoadedMod> &mods,
                       std::vector<std::string> &notes) {
  ATTN_TRY(checkCount(config, mods.size()));
  std::vector<Case> cases;
  std::set<std::string> seen;
  size_t repeats = 0;
  bool bySize = !config.kvSizes.empty();
  for (int64_t first : bySize ? config.kvSizes : config.batches)
    for (SizePair heads : config.heads)
      for (SizePair length : config.lengths)
        for (SizePair dim : config.dims)
          for (const LoadedMod &mod : mods)
            for (ElementType type : config.types) {
              ProblemSizes sizes;
              sizes.batch = bySize ? 0 : first;
              sizes.heads = heads.first;
              sizes.kvHeads = heads.second;
              sizes.queries = length.first;
              sizes.keys = length.second;
              sizes.headDim = dim.first;
              sizes.valueDim = dim.second;
              Case item =
                  makeCase(config, mod, type, sizes, bySize ? first : 0);
              if (seen.insert(identityOf(item)).second)
                cases.push_back(std::move(item));
              else
                ++repeats;
            }
  if (repeats)
    notes.push_back(
        "attn-bench: note: " + std::to_string(repeats) +
        (repeats == 1 ? " case is the same as another"
                      : " cases are the same as others") +
        (config.decoding
             ? ", as they differ in queries only, of which decoding "
               "has one; each is measured once"
             : ", as kv_size gives them the same batch; each is "
               "measured once"));
  return cases;
}

double attn::bench::bytesNeeded(const Case &item, Target target) {
  const ProblemSizes &s = item.sizes;
  // In doubles: sizes that overflow 64 bits are refused by their size.
  double width = byteWidth(item.type);
  double out = double(s.batch) * s.heads * s.queries * s.valueDim;
  double query = double(s.batch) * s.heads * s.queries * s.headDim;
  double keyValue =
      double(s.batch) * s.kvHeads * s.keys * (s.headDim + s.valueDim);
  double scores = double(s.queries) * s.keys;
  double tensors = (query + keyValue + out) * width;
  if (item.backward) {
    // Gradients; the forward pass of a backend with its LSE, and a workspace.
    double rows = double(s.batch) * s.heads * s.queries;
    tensors += tensors + out * width + 3 * rows * sizeof(float);
  }
  if (target == Target::CUDA)
    return tensors + scores * sizeof(float);
  return tensors + out * (width + sizeof(float)) + scores * sizeof(double);
}

double attn::bench::secondsExpected(const Case &item, Target target,
                                    size_t backends) {
  const ProblemSizes &s = item.sizes;
  double flops =
      2.0 * s.batch * s.heads * s.queries * s.keys * (s.headDim + s.valueDim);
  bool cpu = target == Target::CPU;
  double rate =
      cpu ? 15e9 * coreCount() : (item.type == ElementType::F32 ? 2e13 : 2e14);
  double run = flops / rate;
  // A checked run, and at least three rounds of a warm-up and up to 32 samples
  // (measure/Timing.h). On a processor the noise usually takes all of the
  // second.
  double least = cpu ? 1.0 : 0.5;
  double perBackend = run + std::max(least, std::min(96 * run, 1 + 4 * run));
  double reference = cpu ? 2.5 * run : 10 * run;
  return 0.1 + reference + perBackend * backends * (item.backward ? 3.5 : 1);
}

std::string attn::bench::labelOf(const Case &item) {
  return item.mod->label + " " + toString(item.type) + " " + item.shape;
}

std::string attn::bench::formatBytes(double bytes) {
  char text[64];
  if (bytes < 0x1p30)
    std::snprintf(text, sizeof(text), "%.1f MiB", bytes / 0x1p20);
  else
    std::snprintf(text, sizeof(text), "%.1f GiB", bytes / 0x1p30);
  return text;
}
