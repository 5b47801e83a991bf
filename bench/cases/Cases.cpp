// Expands a configuration into cases.
#include "cases/Cases.h"

#include "cases/Cache.h"
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

namespace {
/// One point of the product of all axes.
struct Point {
  const LoadedMod *mod;
  ElementType type;
  ProblemSizes sizes; ///< without a batch where `kvSize` gives one
  int64_t kvSize = 0; ///< MiB; 0: the batch is given
  std::optional<KeyLengths> lengths; ///< of decoding
  int64_t pageRows = 0;
};
} // namespace

/// Where queries stand that are decoded, and what keys there are.
static void placeQueries(Case &item, const Point &point, int64_t seed) {
  const ProblemSizes &s = item.sizes;
  if (!point.lengths) {
    item.queryOffset =
        std::max<int64_t>(0, std::min(s.keys / 2, s.keys - s.queries));
  } else {
    item.lengthRule = point.lengths;
    item.keyLengths = drawLengths(*point.lengths, s.batch, s.keys, seed);
    item.shape += " " + point.lengths->text();
  }
  item.pageRows = point.pageRows;
  item.seed = seed;
  if (point.pageRows)
    item.shape += " pages of " + std::to_string(point.pageRows);
  if (s.queries > std::max<int64_t>(1, s.keys))
    item.refusal = "unsupported: " + std::to_string(s.queries) +
                   " queries do not fit into " + std::to_string(s.keys) +
                   " keys";
  else if (point.lengths && point.lengths->range &&
           point.lengths->range->high > s.keys)
    item.refusal = "unsupported: lengths of up to " +
                   std::to_string(point.lengths->range->high) +
                   " do not fit into " + std::to_string(s.keys) + " keys";
}

static Case makeCase(const Config &config, const Point &point) {
  Case item;
  const LoadedMod &mod = *point.mod;
  ProblemSizes sizes = point.sizes;
  item.mod = &mod;
  item.type = point.type;
  item.backward = config.backward;
  if (point.kvSize)
    sizes.batch = batchOf(point.kvSize, sizes, point.type);
  sizes.sequences = sizes.batch;
  item.sizes = item.asked = sizes;
  item.shape = shapeOf(sizes);
  if (config.decoding)
    placeQueries(item, point, config.seed);
  if (sizes.batch == 0)
    item.refusal = "skipped: one sequence is larger than kv_size " +
                   std::to_string(point.kvSize) + " MiB";
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
  if (config.decoding) {
    times(config.decodingQueries.size(), " numbers of queries");
    times(std::max<size_t>(1, config.keyLengths.size()), " lengths of keys");
    times(std::max<size_t>(1, config.pageSizes.size()), " page sizes");
  }
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

int64_t attn::bench::queryOffsetOf(const Case &item, int64_t batch) {
  return item.lengthRule ? item.keyLengths[batch] - item.sizes.queries
                         : item.queryOffset;
}

Result<std::vector<CaptureData>> attn::bench::makeCaptures(const Case &item) {
  const std::vector<CaptureInfo> &infos = item.mod->mod.captures();
  ATTN_TRY_ASSIGN(std::vector<CaptureData> made,
                  item.mod->mod.makeCaptures(item.sizes));
  for (size_t i = 0; i < infos.size(); ++i) {
    std::vector<std::byte> &bytes = made[i].bytes;
    if (!infos[i].isQueryOffset && !infos[i].isLengths)
      continue;
    // One, or one for each sequence.
    for (size_t b = 0; b * sizeof(int32_t) < bytes.size(); ++b) {
      int32_t number = infos[i].isLengths
                           ? item.keyLengths[b]
                           : static_cast<int32_t>(queryOffsetOf(item, b));
      std::memcpy(&bytes[b * sizeof number], &number, sizeof number);
    }
  }
  return made;
}

Case attn::bench::firstCase(const Config &config,
                            const std::vector<LoadedMod> &mods) {
  Config first = config;
  first.batches.resize(1);
  first.kvSizes.resize(std::min<size_t>(1, first.kvSizes.size()));
  for (auto *pairs : {&first.heads, &first.lengths, &first.dims})
    pairs->resize(1);
  first.decodingQueries.resize(1);
  first.keyLengths.resize(std::min<size_t>(1, first.keyLengths.size()));
  first.pageSizes.resize(std::min<size_t>(1, first.pageSizes.size()));
  first.types.resize(1);
  std::vector<std::string> notes;
  Case item = listCases(first, {mods[0]}, notes)->front();
  item.mod = &mods[0];
  return item;
}

/// What decoding adds to each length: numbers of queries, lengths and pages of
/// keys.
static std::vector<Point> decoded(const Config &config, const Point &point) {
  std::vector<Point> points;
  if (!config.decoding)
    return {point};
  std::vector<std::optional<KeyLengths>> rules(config.keyLengths.begin(),
                                               config.keyLengths.end());
  if (rules.empty())
    rules.emplace_back();
  std::vector<int64_t> pages = config.pageSizes;
  if (pages.empty())
    pages.push_back(0);
  for (const std::optional<KeyLengths> &rule : rules)
    for (int64_t queries : config.decodingQueries)
      for (int64_t rows : pages) {
        points.push_back(point);
        points.back().lengths = rule;
        points.back().sizes.queries = queries;
        points.back().pageRows = rows;
      }
  return points;
}

/// The shapes of all cases, in the seed's order, without dimensions and types.
static std::vector<Point> listShapes(const Config &config) {
  std::vector<Point> shapes;
  bool bySize = !config.kvSizes.empty();
  for (int64_t first : bySize ? config.kvSizes : config.batches)
    for (SizePair heads : config.heads)
      for (SizePair length : config.lengths) {
        Point point{};
        point.sizes.batch = bySize ? 0 : first;
        point.kvSize = bySize ? first : 0;
        point.sizes.heads = heads.first;
        point.sizes.kvHeads = heads.second;
        point.sizes.queries = length.first;
        point.sizes.keys = length.second;
        std::vector<Point> more = decoded(config, point);
        shapes.insert(shapes.end(), more.begin(), more.end());
      }
  return shapes;
}

/// The first length, the last, the second, the last but one: a kernel that
/// suits one length only is found out.
static std::vector<SizePair> alternating(const std::vector<SizePair> &lengths) {
  std::vector<SizePair> order;
  for (size_t i = 0; i < lengths.size(); ++i)
    order.push_back(lengths[i % 2 ? lengths.size() - 1 - i / 2 : i / 2]);
  return order;
}

/// All points, in order.
static std::vector<Point> listPoints(Config config,
                                     const std::vector<LoadedMod> &mods) {
  if (config.dynamic)
    config.lengths = alternating(config.lengths);
  std::vector<Point> points, shapes = listShapes(config);
  auto add = [&](const Point &shape, SizePair dim, const LoadedMod &mod,
                 ElementType type) {
    Point &point = points.emplace_back(shape);
    point.sizes.headDim = dim.first;
    point.sizes.valueDim = dim.second;
    point.mod = &mod;
    point.type = type;
  };
  auto addKernels = [&](const std::vector<Point> &all) {
    for (SizePair dim : config.dims)
      for (const LoadedMod &mod : mods)
        for (ElementType type : config.types)
          for (const Point &shape : all)
            add(shape, dim, mod, type);
  };
  if (config.dynamic)
    addKernels(shapes);
  else
    for (const Point &shape : shapes)
      addKernels({shape});
  return points;
}

Result<std::vector<Case>>
attn::bench::listCases(const Config &config, const std::vector<LoadedMod> &mods,
                       std::vector<std::string> &notes) {
  ATTN_TRY(checkCount(config, mods.size()));
  std::vector<Case> cases;
  std::set<std::string> seen;
  size_t repeats = 0;
  for (const Point &point : listPoints(config, mods)) {
    Case item = makeCase(config, point);
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
             ? ", as they differ in queries only, which decoding_queries "
               "gives; each is measured once"
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
  if (item.pageRows)
    keyValue *= 2; // The same keys also lie in pages.
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
