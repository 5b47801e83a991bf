// See Harness.h.
#include "Harness.h"

#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

using namespace attn;
using namespace attn::test;

static Target chosenTarget = Target::CPU;

Target attn::test::selectedTarget() { return chosenTarget; }

void attn::test::selectTarget(Target target) { chosenTarget = target; }

static bool portable = false;
void attn::test::selectPortable() { portable = true; }
bool attn::test::portableIsSelected() { return portable; }

bool attn::test::runsSM90a() {
  static const bool runs = [] {
    if (chosenTarget == Target::CPU || portable)
      return false;
    KernelSpec spec;
    spec.target = Target::CUDA;
    spec.type = ElementType::BF16;
    device();
    Result<Mod> mod = loadPattern("noop");
    Result<AttentionKernel> kernel =
        mod ? AttentionKernel::compile(*mod, spec) : Error{mod.error()};
    return kernel && kernel->schedule().find("producers") != std::string::npos;
  }();
  return runs;
}

static bool onMachine = false;
bool attn::test::interpreted() { return onMachine; }
void attn::test::selectInterpreted() { onMachine = true; }

bench::Device &attn::test::device() {
  static std::unique_ptr<bench::Device> instance = [] {
    if (chosenTarget == Target::CPU)
      return bench::createCPUDevice();
    auto cuda = bench::createCUDADevice();
    if (!cuda) {
      std::fprintf(stderr, "%s\n", cuda.error().c_str());
      std::exit(1);
    }
    return std::move(*cuda);
  }();
  return *instance;
}

std::string attn::test::modsDirectory() {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path program = fs::read_symlink("/proc/self/exe", code);
  fs::path mods = program.parent_path() / "../configs/mods";
  if (code || !fs::is_directory(mods, code))
    mods = ATTN_MODS_DIR;
  return mods.lexically_normal().string();
}

Result<Mod> attn::test::loadPattern(const std::string &name) {
  return Mod::fromFile(modsDirectory() + "/" + name + ".mlir");
}

std::string Case::name() const {
  const ProblemSizes &s = sizes;
  std::string text = pattern + "_" + toString(type) + "_b" +
                     std::to_string(s.batch) + "_h" + std::to_string(s.heads) +
                     "kv" + std::to_string(s.kvHeads) + "_" +
                     std::to_string(s.queries) + "x" + std::to_string(s.keys) +
                     "_d" + std::to_string(s.headDim);
  if (s.valueDim != s.headDim)
    text += "v" + std::to_string(s.valueDim);
  if (numbers == Numbers::SmallIntegers)
    text += "_integers";
  if (layout == Layout::BSHD)
    text += "_bshd";
  if (rowPadding || offset)
    text +=
        "_pad" + std::to_string(rowPadding) + "from" + std::to_string(offset);
  return text;
}

int64_t Paging::pageOf(const ProblemSizes &s, int64_t b, int64_t kv) const {
  int64_t page = table[b * most(s) + kv / rows];
  return page < count ? page : -1;
}

static std::vector<double> randomNumbers(int64_t count, const Case &c,
                                         unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> integers(-2, 2);
  std::vector<float> numbers(count);
  for (float &x : numbers)
    x = c.numbers == Numbers::Normal ? normal(generator)
                                     : static_cast<float>(integers(generator));
  bench::roundTo(c.type, numbers.data(), count);
  return {numbers.begin(), numbers.end()};
}

Inputs attn::test::makeInputs(const Case &c) {
  const ProblemSizes &s = c.sizes;
  int64_t rows = s.batch * s.heads * s.queries;
  int64_t keyRows = s.batch * s.kvHeads * s.keys;
  return {s, 1 / std::sqrt(static_cast<double>(s.headDim)),
          randomNumbers(rows * s.headDim, c, 1),
          randomNumbers(keyRows * s.headDim, c, 2),
          randomNumbers(keyRows * s.valueDim, c, 3)};
}

namespace {
/// Device memory with guard bands on both sides.
class Buffer {
public:
  explicit Buffer(int64_t bytes) : bytes(bytes) {
    auto result = device().allocate(bytes + 2 * guard);
    if (!result) {
      std::fprintf(stderr, "%s\n", result.error().c_str());
      std::exit(1);
    }
    memory = static_cast<char *>(*result);
    EXPECT_TRUE(device().fill(memory, 0x5a, bytes + 2 * guard));
    poison();
  }
  ~Buffer() { device().release(memory); }
  Buffer(const Buffer &) = delete;

  void *data() { return memory + guard; }
  /// Fills with NaN of every floating-point type.
  void poison() {
    EXPECT_TRUE(device().fill(memory + guard, poisonByte, bytes));
  }
  void upload(const void *from) {
    EXPECT_TRUE(device().copyIn(data(), from, bytes));
  }
  /// The contents; fails the test if a guard band was written to.
  std::vector<char> download() {
    std::vector<char> all(bytes + 2 * guard);
    EXPECT_TRUE(device().copyOut(all.data(), memory, all.size()));
    for (int64_t i = 0; i < guard; ++i) {
      if (all[i] != 0x5a || all[guard + bytes + i] != 0x5a) {
        ADD_FAILURE() << "memory around a result was written to";
        break;
      }
    }
    return {all.begin() + guard, all.end() - guard};
  }

  static constexpr unsigned char poisonByte = 0xff;

private:
  static constexpr int64_t guard = 1024;
  int64_t bytes;
  char *memory = nullptr;
};

/// A 4-d tensor in a buffer, in the case's layout. What lies between its rows
/// is NaN.
class Tensor {
public:
  Tensor(const Case &c, int64_t heads, int64_t length, int64_t channels)
      : sizes{c.sizes.batch, heads, length, channels}, offset(c.offset),
        type(c.type), buffer((c.offset + c.sizes.batch * heads * length *
                                             (channels + c.rowPadding)) *
                             byteWidth(c.type)) {
    int64_t row = channels + c.rowPadding;
    strides =
        c.layout == Layout::BHSD
            ? std::array<int64_t, 3>{heads * length * row, length * row, row}
            : std::array<int64_t, 3>{length * heads * row, row, heads * row};
  }
  /// Without elements there need not be memory.
  TensorView view() {
    bool empty = std::count(sizes.begin(), sizes.end(), 0) != 0;
    char *data = static_cast<char *>(buffer.data()) + offset * byteWidth(type);
    return {empty ? nullptr : data, type, sizes, strides};
  }
  void poison() { buffer.poison(); }

  void upload(const std::vector<double> &numbers) {
    std::vector<float> values(numbers.begin(), numbers.end());
    int64_t width = byteWidth(type);
    std::vector<char> packed(numbers.size() * width);
    bench::fromFloat(packed.data(), type, values.data(), values.size());
    std::vector<char> elements = buffer.download();
    each([&](int64_t from, int64_t to) {
      std::memcpy(&elements[to * width], &packed[from * width], width);
    });
    buffer.upload(elements.data());
  }
  std::vector<double> download() {
    std::vector<char> elements = buffer.download();
    int64_t width = byteWidth(type);
    std::vector<char> packed;
    each([&](int64_t, int64_t place) {
      char *element = &elements[place * width];
      packed.insert(packed.end(), element, element + width);
      std::memset(element, Buffer::poisonByte, width);
    });
    auto isPoison = [](unsigned char x) { return x == Buffer::poisonByte; };
    EXPECT_TRUE(std::all_of(elements.begin(), elements.end(), isPoison))
        << "memory between the rows of a result was written to";
    std::vector<double> numbers(packed.size() / width);
    bench::toDouble(numbers.data(), packed.data(), type, numbers.size());
    return numbers;
  }
  std::vector<char> bytes() { return buffer.download(); }

private:
  /// Calls `body` with each element's place in (b, h, s, d) order and in
  /// memory.
  template <typename Body> void each(Body body) {
    int64_t i = 0;
    for (int64_t b = 0; b < sizes[0]; ++b)
      for (int64_t h = 0; h < sizes[1]; ++h)
        for (int64_t s = 0; s < sizes[2]; ++s)
          for (int64_t d = 0; d < sizes[3]; ++d)
            body(i++,
                 offset + b * strides[0] + h * strides[1] + s * strides[2] + d);
  }

  std::array<int64_t, 4> sizes;
  std::array<int64_t, 3> strides;
  int64_t offset;
  ElementType type;
  Buffer buffer;
};

/// A captured tensor in a buffer, in some layout. What is between its elements
/// is poison, as is what is around it.
class CapturedTensor {
public:
  CapturedTensor(const CaptureData &data, CaptureLayout layout)
      : data(data), strides(stridesOf(layout)),
        buffer((offset + extent() + 1) * byteWidth(data.type)) {
    int64_t width = byteWidth(data.type);
    std::vector<char> bytes = buffer.download();
    std::vector<int64_t> index(data.sizes.size());
    int64_t count = static_cast<int64_t>(data.bytes.size()) / width;
    for (int64_t i = count; i-- > 0;) { // of those that share, the first counts
      int64_t rest = i, place = offset;
      for (size_t d = data.sizes.size(); d-- > 0; rest /= data.sizes[d])
        place += rest % data.sizes[d] * strides[d];
      std::memcpy(&bytes[place * width], &data.bytes[i * width], width);
    }
    buffer.upload(bytes.data());
  }
  CaptureView view() {
    return {static_cast<char *>(buffer.data()) + offset * byteWidth(data.type),
            data.sizes, strides, data.type};
  }

private:
  std::vector<int64_t> stridesOf(CaptureLayout layout) {
    size_t rank = data.sizes.size();
    std::vector<int64_t> result(rank, 1);
    if (layout == CaptureLayout::Transposed) {
      for (size_t d = 1; d < rank; ++d)
        result[d] = result[d - 1] * data.sizes[d - 1];
      return result;
    }
    int64_t next = layout == CaptureLayout::Apart ? 3 : 1;
    for (size_t d = rank; d-- > 0;) {
      result[d] = next;
      next = next * data.sizes[d] + (layout == CaptureLayout::Padded ? 5 : 0);
    }
    if (rank > 1 && layout == CaptureLayout::SharedOuter)
      result.front() = 0;
    if (rank && layout == CaptureLayout::SharedInner)
      result.back() = 0;
    return result;
  }
  int64_t extent() const {
    int64_t last = 0;
    for (size_t d = 0; d < strides.size(); ++d)
      last += (data.sizes[d] - 1) * strides[d];
    return std::max<int64_t>(last + 1, 0);
  }

  static constexpr int64_t offset = 3;
  const CaptureData &data;
  std::vector<int64_t> strides;
  Buffer buffer;
};
} // namespace

struct PlacedCaptures::Memory {
  std::vector<std::unique_ptr<CapturedTensor>> tables;
};

PlacedCaptures::PlacedCaptures(const Case &c, const Mod &mod,
                               const std::vector<CaptureData> &captures)
    : captureViews(viewsOf(captures)), memory(std::make_unique<Memory>()) {
  for (size_t i = 0; i < captures.size(); ++i) {
    if (mod.captures()[i].isScalar)
      continue;
    memory->tables.push_back(
        std::make_unique<CapturedTensor>(captures[i], c.layoutOf(i)));
    captureViews[i] = memory->tables.back()->view();
  }
}

PlacedCaptures::~PlacedCaptures() = default;

static void compare(const char *what, const std::vector<double> &actual,
                    const std::vector<double> &expected, double bound) {
  ASSERT_EQ(actual.size(), expected.size());
  double worst = 0;
  size_t place = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i] ||
        (std::isnan(actual[i]) && std::isnan(expected[i])))
      continue;
    double error = std::fabs(actual[i] - expected[i]);
    if (!(error <= worst)) {
      worst = error;
      place = i;
      if (std::isnan(error))
        break;
    }
  }
  EXPECT_LE(worst, bound) << what << "[" << place << "] = " << actual[place]
                          << ", expected " << expected[place];
}

static double largest(const std::vector<double> &numbers) {
  double result = 0;
  for (double x : numbers)
    if (std::isfinite(x))
      result = std::fmax(result, std::fabs(x));
  return result;
}

namespace {
/// Where sequences begin, where the kernel reads it.
class Starts {
public:
  Starts(const std::vector<int32_t> &starts, bool asBatch)
      : sequences(static_cast<int64_t>(starts.size()) - 1), asBatch(asBatch),
        buffer(starts.size() * sizeof(int32_t)) {
    if (!starts.empty())
      buffer.upload(starts.data());
  }
  SequenceStarts get() {
    if (sequences < 0 || asBatch)
      return {};
    return {static_cast<const int32_t *>(buffer.data()), sequences};
  }
  /// The sequences of `view` as a batch, if they are to be one.
  TensorView shown(TensorView view) const {
    if (sequences < 0 || !asBatch)
      return view;
    view.sizes[0] = sequences;
    view.sizes[2] /= sequences;
    view.strides[0] = view.sizes[2] * view.strides[2];
    return view;
  }

private:
  int64_t sequences;
  bool asBatch;
  Buffer buffer;
};
} // namespace

/// Keys or values, of `channels` each, as they lie in the pages of a case.
static std::vector<double> inPages(const Case &c, int64_t channels,
                                   const std::vector<double> &numbers) {
  const ProblemSizes &s = c.sizes;
  const Paging &p = *c.paging;
  std::vector<double> heap(p.count * s.kvHeads * p.rows * channels, NAN);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.kvHeads; ++h)
      for (int64_t kv = 0; kv < s.keys; ++kv) {
        int64_t page = p.pageOf(s, b, kv);
        auto from =
            numbers.begin() + ((b * s.kvHeads + h) * s.keys + kv) * channels;
        if (page >= 0 && !std::isnan(*from))
          std::copy_n(from, channels,
                      heap.begin() +
                          ((page * s.kvHeads + h) * p.rows + kv % p.rows) *
                              channels);
      }
  return heap;
}

/// The table of a case's pages.
static CaptureData tableOf(const Case &c) {
  const std::vector<int32_t> &table = c.paging->table;
  CaptureData data{ElementType::I32,
                   {c.sizes.batch, c.paging->most(c.sizes)},
                   std::vector<std::byte>(table.size() * sizeof(int32_t))};
  std::memcpy(data.bytes.data(), table.data(), data.bytes.size());
  return data;
}

/// The case whose keys and values have the shape that kernels get.
static Case asPages(const Case &c) {
  Case heap = c;
  heap.sizes.batch = c.paging->count;
  heap.sizes.keys = c.paging->rows;
  heap.layout = c.paging->rowsFirst ? Layout::BSHD : Layout::BHSD;
  return heap;
}

static Result<AttentionKernel> compile(const Case &c, const Mod &mod) {
  KernelSpec spec;
  spec.target = chosenTarget;
  spec.type = c.type;
  spec.headDim = c.sizes.headDim;
  spec.valueDim = c.sizes.valueDim;
  spec.lse = c.lse;
  spec.schedule = c.schedule;
  spec.portable = portable;
  spec.stridedCaptures = c.stridedCaptures;
  spec.raggedQueries = !c.queryStarts.empty() && !c.queriesAsBatch;
  spec.raggedKeys = !c.keyStarts.empty() && !c.keysAsBatch;
  spec.paged = c.paging.has_value();
  spec.shares = c.shares;
  return AttentionKernel::compile(mod, spec);
}

/// How far a result may be from the oracle's.
static double outBound(const Case &c, const Expected &expected) {
  // A product of f32 numbers on a matrix unit is three products of TF32
  // halves, which drop what is below 2^-22 of it.
  double units =
      chosenTarget == Target::CUDA && c.type == ElementType::F32 ? 16 : 4;
  double floor = units * bench::unitRoundoff(c.type) * largest(expected.out);
  return 2 * expected.roundedError + floor;
}

/// Scores of a matrix unit have f32 accuracy whatever the element type is.
static double lseBound(const Case &c, const Expected &expected) {
  if (c.lseError)
    return c.lseError;
  return 4e-6 * std::fmax(1, largest(expected.lse)) + 2e-6 * c.sizes.headDim +
         c.scoreError * expected.largestScore;
}

void attn::test::runAndCompare(const Case &c, const Mod &mod,
                               const Oracle &oracle, const Inputs &inputs,
                               const std::vector<CaptureData> &captures,
                               std::vector<char> *bits) {
  device(); // Makes the context in which the kernel is loaded.
  const ProblemSizes &s = c.sizes;
  Result<AttentionKernel> kernel = compile(c, mod);
  ASSERT_TRUE(kernel) << kernel.error();

  Tensor query(c, s.heads, s.queries, s.headDim);
  Case ofKeys = c.paging ? asPages(c) : c;
  Tensor key(ofKeys, s.kvHeads, ofKeys.sizes.keys, s.headDim);
  Tensor value(ofKeys, s.kvHeads, ofKeys.sizes.keys, s.valueDim);
  Tensor out(c, s.heads, s.queries, s.valueDim);
  query.upload(inputs.query);
  key.upload(c.paging ? inPages(c, s.headDim, inputs.key) : inputs.key);
  value.upload(c.paging ? inPages(c, s.valueDim, inputs.value) : inputs.value);
  int64_t rows = s.batch * s.heads * s.queries;
  Buffer lse(rows * sizeof(float));
  PlacedCaptures placed(c, mod, captures);
  std::optional<CapturedTensor> table;
  CaptureData tableData;
  Starts queries(c.queryStarts, c.queriesAsBatch);
  Starts keys(c.keyStarts, c.keysAsBatch);
  AttentionArguments arguments;
  arguments.query = queries.shown(query.view());
  arguments.key = keys.shown(key.view());
  arguments.value = keys.shown(value.view());
  arguments.captures = placed.views();
  arguments.out = queries.shown(out.view());
  arguments.lse = c.lse && rows ? static_cast<float *>(lse.data()) : nullptr;
  arguments.stream = device().stream();
  arguments.queryStarts = queries.get();
  arguments.keyStarts = keys.get();
  if (c.paging) {
    tableData = tableOf(c);
    table.emplace(tableData, CaptureLayout::Padded);
    arguments.pages = table->view();
  }
  // Asking compiles, so it is for those who know.
  Result<int64_t> workspaceBytes = 0;
  if (c.shares)
    workspaceBytes = kernel->workspaceBytes(s);
  ASSERT_TRUE(workspaceBytes) << workspaceBytes.error();
  Buffer workspace(*workspaceBytes);
  if (*workspaceBytes)
    arguments.workspace = {workspace.data(), *workspaceBytes};

  std::vector<char> firstOut, firstLse;
  for (int i = 0; i < c.runs; ++i) {
    out.poison();
    lse.poison();
    workspace.poison();
    Result<void> run = kernel->run(arguments);
    ASSERT_TRUE(run) << run.error();
    Result<void> done = device().synchronize();
    ASSERT_TRUE(done) << done.error();
    if (c.runs == 1)
      break;
    std::vector<char> thisOut = out.bytes(), thisLse = lse.download();
    if (i == 0)
      firstOut = thisOut, firstLse = thisLse;
    ASSERT_TRUE(thisOut == firstOut && thisLse == firstLse)
        << "run " << i << " gave other bits than the first";
  }

  if (bits)
    *bits = out.bytes();
  workspace.download(); // looks at the guard bands
  Expected expected = evaluate(inputs, oracle, c.type);
  compare("out", out.download(), expected.out, outBound(c, expected));
  if (!c.lse)
    return;
  std::vector<char> bytes = lse.download();
  std::vector<float> lse32(rows);
  if (rows) // no bytes have no place
    std::memcpy(lse32.data(), bytes.data(), bytes.size());
  compare("lse", {lse32.begin(), lse32.end()}, expected.lse,
          lseBound(c, expected));
}

void attn::test::runPattern(const Case &problem) {
  Case c = problem;
  // Of tanh.approx, which rounds less than these types do.
  if (c.pattern == "softcap" && c.type != ElementType::F32 &&
      chosenTarget == Target::CUDA)
    c.scoreError = std::ldexp(1.0, -11);
  Result<Mod> mod = loadPattern(c.pattern);
  ASSERT_TRUE(mod) << mod.error();
  auto captures = mod->makeCaptures(c.sizes);
  ASSERT_TRUE(captures) << captures.error();
  Result<void> fine = mod->check(c.sizes, viewsOf(*captures));
  ASSERT_TRUE(fine) << fine.error();
  runAndCompare(c, *mod, oracleOf(c.pattern, c.sizes, *captures), makeInputs(c),
                *captures);
}
