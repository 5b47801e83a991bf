// Captured values of every type, as tensors in every layout and as scalars, in
// score and mask programs; and what a caller gets to read after a mistake.
#include "Harness.h"
#include "devices/Tensors.h"
#include "numerics/Convert.h"

#include "attn/API/Tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

/// One type: how programs spell it, read it as an f32, and compare two.
struct CaptureType {
  ElementType type;
  const char *name;    ///< of the captures
  const char *mlir;    ///< as programs see it
  const char *toFloat; ///< null: it is one
  const char *atMost;  ///< a comparison
  double unit;         ///< what makes its values small
};

const CaptureType narrow[] = {
    {ElementType::Bool, "bool", "i1", "arith.uitofp", "arith.cmpi ule,", 1},
    {ElementType::I8, "i8", "i8", "arith.sitofp", "arith.cmpi sle,", 0x1p-6},
    {ElementType::U8, "u8", "i8", "arith.uitofp", "arith.cmpi ule,", 0x1p-7},
    {ElementType::I16, "i16", "i16", "arith.sitofp", "arith.cmpi sle,",
     0x1p-14}};
const CaptureType wide[] = {
    {ElementType::I32, "i32", "i32", "arith.sitofp", "arith.cmpi sle,",
     0x1p-30},
    {ElementType::I64, "i64", "i64", "arith.sitofp", "arith.cmpi sle,",
     0x1p-62},
    {ElementType::F16, "f16", "f16", "arith.extf", "arith.cmpf ole,", 1},
    {ElementType::BF16, "bf16", "bf16", "arith.extf", "arith.cmpf ole,", 1},
    {ElementType::F32, "f32", "f32", nullptr, "arith.cmpf ole,", 1}};

using Types = std::vector<CaptureType>;

/// The text of one program, line by line.
class Program {
public:
  std::string define(const std::string &operation) {
    std::string name = "%v" + std::to_string(count++);
    text += "    " + name + " = " + operation + "\n";
    return name;
  }
  /// `value` as an f32 of a few units.
  std::string small(const CaptureType &type, const std::string &value) {
    std::string number = value;
    if (type.toFloat)
      number = define(std::string(type.toFloat) + " " + value + " : " +
                      type.mlir + " to f32");
    char unit[64];
    std::snprintf(unit, sizeof unit, "arith.constant %.17e : f32", type.unit);
    return define("arith.mulf " + number + ", " + define(unit) + " : f32");
  }
  std::string sum(const std::string &x, const std::string &y) {
    return define("arith.addf " + x + ", " + y + " : f32");
  }
  /// i1: x <= y
  std::string atMost(const CaptureType &type, const std::string &x,
                     const std::string &y) {
    std::string mlir = type.mlir, a = x, b = y;
    if (mlir == "bf16") {
      a = define("arith.extf " + x + " : bf16 to f32");
      b = define("arith.extf " + y + " : bf16 to f32");
      mlir = "f32";
    }
    return define(std::string(type.atMost) + " " + a + ", " + b + " : " + mlir);
  }
  std::string load(const CaptureType &type, const char *suffix,
                   const std::string &indices, const char *dims) {
    return define("attn.load %" + std::string(type.name) + suffix + "[" +
                  indices + "] : tensor<" + dims + type.mlir + ">");
  }
  std::string keys(const CaptureType &type) {
    return load(type, "_keys", "%kv", "?x");
  }
  std::string rows(const CaptureType &type) {
    return load(type, "_rows", "%h, %q", "?x?x");
  }

  std::string text;

private:
  int count = 0;
};

/// Every type of `types` as %T_keys[%kv], %T_rows[%h, %q], a scalar %T and a
/// tensor %T_one of rank 0. The score adds (scalar + key) * (one + row) for all
/// of them. The mask is one type's at each key, by turns: key <= row or
/// one <= scalar.
std::string modOf(const Types &types) {
  std::string captures;
  for (const CaptureType &t : types) {
    std::string name = "%" + std::string(t.name), type = t.mlir;
    captures += (captures.empty() ? "" : ",\n    ") + name +
                "_keys: tensor<?x" + type + ">, " + name +
                "_rows: tensor<?x?x" + type + ">, " + name + ": " + type +
                ", " + name + "_one: tensor<" + type + ">";
  }
  Program score, mask;
  std::string total = "%s";
  std::string count = std::to_string(types.size());
  std::string turn =
      mask.define("arith.remui %kv, " +
                  mask.define("arith.constant " + count + " : i32") + " : i32");
  std::string keep = mask.define("arith.constant false");
  for (size_t i = 0; i < types.size(); ++i) {
    const CaptureType &t = types[i];
    std::string scalar = "%" + std::string(t.name);
    auto small = [&](const std::string &x) { return score.small(t, x); };
    std::string x = score.sum(small(scalar), small(score.keys(t)));
    std::string y =
        score.sum(small(score.load(t, "_one", "", "")), small(score.rows(t)));
    total =
        score.sum(total, score.define("arith.mulf " + x + ", " + y + " : f32"));

    std::string here = mask.define(
        "arith.cmpi eq, " + turn + ", " +
        mask.define("arith.constant " + std::to_string(i) + " : i32") +
        " : i32");
    std::string near = mask.atMost(t, mask.keys(t), mask.rows(t));
    std::string all = mask.atMost(t, mask.load(t, "_one", "", ""), scalar);
    std::string kept = mask.define("arith.ori " + near + ", " + all + " : i1");
    keep = mask.define("arith.select " + here + ", " + kept + ", " + keep +
                       " : i1");
  }
  return "attn.mod @captures(" + captures +
         ")\n  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {\n" +
         score.text + "    attn.yield " + total +
         " : f32\n  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n" +
         mask.text + "    attn.yield " + keep + " : i1\n  }\n";
}

//===--- data -------------------------------------------------------------===//

template <typename T> T elementAt(const CaptureData &data, int64_t i) {
  T value;
  std::memcpy(&value, data.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

/// An element as the number that a program reads, in f32 where that rounds.
double numberAt(const CaptureData &data, ElementType type, int64_t i) {
  switch (type) {
  case ElementType::Bool:
    return elementAt<uint8_t>(data, i) != 0;
  case ElementType::I8:
    return elementAt<int8_t>(data, i);
  case ElementType::U8:
    return elementAt<uint8_t>(data, i);
  case ElementType::I16:
    return elementAt<int16_t>(data, i);
  case ElementType::I32:
    return elementAt<int32_t>(data, i);
  case ElementType::I64:
    return static_cast<double>(elementAt<int64_t>(data, i));
  case ElementType::F32:
    return elementAt<float>(data, i);
  default: {
    double value;
    bench::toDouble(&value, data.bytes.data() + i * byteWidth(type), type, 1);
    return value;
  }
  }
}

/// Random elements, of integers all bits; `inner`: so many that lie side by
/// side are the same.
CaptureData randomData(ElementType type, std::vector<int64_t> sizes,
                       std::mt19937 &random, int64_t inner = 1) {
  int64_t count = 1, width = byteWidth(type);
  for (int64_t size : sizes)
    count *= size;
  CaptureData data{type, std::move(sizes), {}};
  data.bytes.resize(count * width);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < count; ++i) {
    std::byte *element = &data.bytes[i * width];
    if (i % inner)
      std::memcpy(element, element - width, width);
    else if (type == ElementType::F16 || type == ElementType::BF16 ||
             type == ElementType::F32) {
      float value = normal(random);
      bench::fromFloat(element, type, &value, 1);
    } else {
      uint64_t bits = random() | uint64_t(random()) << 32;
      if (type == ElementType::Bool && random() % 2)
        bits = 0;
      std::memcpy(element, &bits, width);
    }
  }
  return data;
}

/// Four captures for each type, in the order of modOf, such that elements that
/// share a place are the same.
std::vector<CaptureData> makeData(const Types &types, const Case &c) {
  const ProblemSizes &s = c.sizes;
  std::mt19937 random(17);
  std::vector<CaptureData> data;
  for (const CaptureType &t : types)
    for (const std::vector<int64_t> &sizes : std::vector<std::vector<int64_t>>{
             {s.keys}, {s.heads, s.queries}, {}, {}}) {
      CaptureLayout layout = c.layoutOf(data.size());
      bool sharedInner = layout == CaptureLayout::SharedInner && !sizes.empty();
      data.push_back(
          randomData(t.type, sizes, random, sharedInner ? sizes.back() : 1));
      if (layout != CaptureLayout::SharedOuter || sizes.size() < 2)
        continue;
      std::vector<std::byte> &bytes = data.back().bytes;
      size_t row = sizes[1] * byteWidth(t.type);
      for (int64_t h = 1; h < sizes[0]; ++h)
        std::memcpy(&bytes[h * row], bytes.data(), row);
    }
  return data;
}

Oracle oracleFor(const Types &types, const ProblemSizes &s,
                 const std::vector<CaptureData> &data) {
  auto keyAt = [&types, &data](size_t i, int64_t kv) {
    return numberAt(data[4 * i], types[i].type, kv);
  };
  auto rowAt = [&types, &data, s](size_t i, int64_t h, int64_t q) {
    return numberAt(data[4 * i + 1], types[i].type, h * s.queries + q);
  };
  auto scalar = [&types, &data](size_t i) {
    return numberAt(data[4 * i + 2], types[i].type, 0);
  };
  auto one = [&types, &data](size_t i) {
    return numberAt(data[4 * i + 3], types[i].type, 0);
  };
  Oracle oracle;
  oracle.score = [=, &types](double score, int, int h, int q, int kv) {
    for (size_t i = 0; i < types.size(); ++i) {
      double unit = types[i].unit;
      score += (scalar(i) + keyAt(i, kv)) * unit *
               ((one(i) + rowAt(i, h, q)) * unit);
    }
    return score;
  };
  oracle.mask = [=, &types](int, int h, int q, int kv) {
    size_t i = kv % types.size();
    return keyAt(i, kv) <= rowAt(i, h, q) || one(i) <= scalar(i);
  };
  return oracle;
}

void runCaptures(const Types &types, std::vector<CaptureLayout> layouts,
                 bool stridedCaptures = false) {
  Case c;
  c.type = ElementType::BF16;
  c.sizes = {1, 2, 1, 70, 150, 64, 64, 1};
  c.captureLayouts = std::move(layouts);
  c.stridedCaptures = stridedCaptures;
  Result<Mod> mod = Mod::fromSource(modOf(types), "captures.mlir");
  ASSERT_TRUE(mod) << mod.error() << modOf(types);
  std::vector<CaptureData> data = makeData(types, c);
  runAndCompare(c, *mod, oracleFor(types, c.sizes, data), makeInputs(c), data);
}

const Types narrowTypes(std::begin(narrow), std::end(narrow));
const Types wideTypes(std::begin(wide), std::end(wide));
using L = CaptureLayout;

} // namespace

TEST(Captures, OfEveryTypeWithNeighboursSideBySide) {
  runCaptures(narrowTypes, {L::Contiguous, L::Padded, L::SharedOuter});
  runCaptures(wideTypes, {L::SharedOuter, L::Contiguous, L::Padded});
}

// Five layouts and four captures of a type: every type meets most layouts.
TEST(Captures, OfEveryTypeWithAnyStride) {
  std::vector<CaptureLayout> layouts{L::Apart, L::Transposed, L::SharedInner,
                                     L::Padded, L::SharedOuter};
  runCaptures(narrowTypes, layouts);
  runCaptures(wideTypes, layouts);
}

TEST(Captures, OneKernelForAnyStride) {
  runCaptures(narrowTypes, {}, /*stridedCaptures=*/true);
}

//===--- softmax ----------------------------------------------------------===//

/// The softmax of random scores of all heads, in f32, against its definition.
static void expectSoftmax(const Types &types) {
  Case c;
  c.sizes = {1, 2, 2, 5, 37, 16, 16, 1};
  c.captureLayouts = {L::Apart, L::Transposed, L::SharedInner, L::Contiguous,
                      L::SharedOuter};
  Result<Mod> mod = Mod::fromSource(modOf(types), "captures.mlir");
  ASSERT_TRUE(mod) << mod.error();
  std::vector<CaptureData> data = makeData(types, c);
  Oracle oracle = oracleFor(types, c.sizes, data);
  device(); // Makes the context in which the kernel is loaded.
  auto kernel = SoftmaxKernel::compile(*mod, selectedTarget(), ElementType::F32,
                                       ElementType::F32);
  ASSERT_TRUE(kernel) << kernel.error();
  const ProblemSizes &s = c.sizes;
  std::vector<float> scores(s.heads * s.queries * s.keys);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (float &score : scores)
    score = normal(random);
  auto bytes = static_cast<int64_t>(scores.size() * sizeof(float));
  auto in = bench::Buffer::create(device(), bytes);
  auto out = bench::Buffer::create(device(), bytes);
  ASSERT_TRUE(in && out);
  ASSERT_TRUE(device().copyIn(in->data(), scores.data(), bytes));
  PlacedCaptures placed(c, *mod, data);
  Result<void> run =
      kernel->run(in->data(), out->data(), nullptr, 0, s.heads, s.heads,
                  s.queries, s.keys, 0.5, placed.views(), device().stream());
  ASSERT_TRUE(run) << run.error();
  ASSERT_TRUE(device().synchronize());
  std::vector<float> result(scores.size());
  ASSERT_TRUE(device().copyOut(result.data(), out->data(), bytes));
  for (int64_t row = 0; row < s.heads * s.queries; ++row) {
    int h = row / s.queries, q = row % s.queries;
    std::vector<double> weights(s.keys);
    double sum = 0;
    for (int kv = 0; kv < s.keys; ++kv) {
      double t = oracle.score(scores[row * s.keys + kv] * 0.5, 0, h, q, kv);
      sum += weights[kv] = oracle.mask(0, h, q, kv) ? std::exp(t) : 0;
    }
    for (int kv = 0; kv < s.keys; ++kv)
      ASSERT_NEAR(result[row * s.keys + kv], sum ? weights[kv] / sum : 0, 4e-6)
          << h << " " << q << " " << kv;
  }
}

TEST(Captures, OfTheSoftmaxOfScores) {
  expectSoftmax(narrowTypes);
  expectSoftmax(wideTypes);
}

//===--- tiles ------------------------------------------------------------===//

namespace {
/// The ids of documents of 40 tokens each, and a comparison of two.
struct Ids {
  const char *type, *predicate;
  ElementType element;
  std::vector<int64_t> values;

  int64_t at(int64_t token) const { return values[token / 40]; }
  bool keeps(int64_t q, int64_t kv) const {
    return std::string(predicate) == "eq" ? at(q) == at(kv) : at(q) <= at(kv);
  }
};

void expectTiles(const Ids &ids, const TileFinder &finder,
                 const ProblemSizes &sizes, const CaptureView &view) {
  auto lists = finder.find(sizes, {view});
  ASSERT_TRUE(lists) << lists.error();
  auto map = finder.map(*lists);
  ASSERT_TRUE(map) << map.error();
  auto pairs = finder.countPairs(sizes, {view});
  ASSERT_TRUE(pairs) << pairs.error();
  int64_t kept = 0;
  for (int64_t row = 0; row < map->rows; ++row)
    for (int64_t column = 0; column < map->columns; ++column) {
      int64_t some = 0, of = 0;
      for (int64_t q = 16 * row; q < std::min(16 * row + 16, sizes.queries);
           ++q)
        for (int64_t kv = 16 * column;
             kv < std::min(16 * column + 16, sizes.keys); ++kv, ++of)
          some += ids.keeps(q, kv);
      kept += some;
      TileClass wanted = some == 0    ? TileClass::Empty
                         : some == of ? TileClass::Full
                                      : TileClass::Partial;
      EXPECT_EQ(map->at(0, 0, row, column), wanted) << row << " " << column;
    }
  EXPECT_EQ(*pairs, kept);
}
} // namespace

// Some ids are below zero, some too large for 32 bits; they are every third
// element of the memory.
TEST(Captures, TilesOfDocumentsOfEveryType) {
  const Ids all[] = {
      {"i8", "sle", ElementType::I8, {-128, -3, -3, 0, 127}},
      {"i8", "ule", ElementType::U8, {0, 3, 127, 128, 255}},
      {"i16", "sle", ElementType::I16, {-32768, -1, 0, 300, 32767}},
      {"i64",
       "sle",
       ElementType::I64,
       {INT64_MIN, -(int64_t(1) << 40), 5, int64_t(1) << 32, INT64_MAX}},
      {"i64",
       "eq",
       ElementType::I64,
       {5, int64_t(1) << 32 | 5, INT64_MAX, INT64_MIN, -5}}};
  ProblemSizes sizes{1, 1, 1, 200, 200, 64, 64, 1};
  for (const Ids &ids : all) {
    std::string tensor = std::string("tensor<?x") + ids.type + ">";
    SCOPED_TRACE(std::string(ids.type) + " " + ids.predicate);
    Result<Mod> mod =
        Mod::fromSource("attn.mod @documents(%ids: " + tensor +
                            ")\n"
                            "  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
                            "    %x = attn.load %ids[%q] : " +
                            tensor +
                            "\n"
                            "    %y = attn.load %ids[%kv] : " +
                            tensor +
                            "\n"
                            "    %keep = arith.cmpi " +
                            ids.predicate + ", %x, %y : " + ids.type +
                            "\n    attn.yield %keep : i1\n  }\n",
                        "documents.mlir");
    ASSERT_TRUE(mod) << mod.error();
    int64_t width = byteWidth(ids.element);
    std::vector<std::byte> memory(3 * sizes.keys * width, std::byte(0x5a));
    for (int64_t i = 0; i < sizes.keys; ++i) {
      int64_t id = ids.at(i);
      std::memcpy(&memory[3 * i * width], &id, width);
    }
    auto buffer = bench::Buffer::create(device(), memory.size());
    ASSERT_TRUE(buffer) << buffer.error();
    Result<void> copied =
        device().copyIn(buffer->data(), memory.data(), memory.size());
    ASSERT_TRUE(copied) << copied.error();
    auto finder = TileFinder::compile(*mod, selectedTarget(), 16, 16);
    ASSERT_TRUE(finder) << finder.error();
    expectTiles(ids, *finder, sizes,
                {buffer->data(), {sizes.keys}, {3}, ids.element});
  }
}

//===--- mistakes ---------------------------------------------------------===//

TEST(Mistakes, CapturesThatDoNotFit) {
  Result<Mod> mod = Mod::fromSource(
      "attn.mod @x(%table: tensor<?x?xi8>, %one: tensor<f32>, %n: i64)",
      "x.mlir");
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes{1, 1, 1, 8, 8, 16, 16, 1};
  int64_t n = 0;
  std::vector<int8_t> table(64);
  CaptureView good{table.data(), {2, 3}}, one{&n, {}}, scalar{&n, {}};
  auto messageOf = [&](const CaptureView &view) {
    Result<void> result = mod->check(sizes, {view, one, scalar});
    return result ? std::string() : result.error();
  };
  EXPECT_EQ(messageOf(good), "");
  auto with = [&](auto change) {
    CaptureView view = good;
    change(view);
    return messageOf(view);
  };
  EXPECT_EQ(with([](auto &v) { v.type = ElementType::U8; }), "");
  EXPECT_EQ(with([](auto &v) { v.type = ElementType::I16; }),
            "expects capture 'table' of i8, got i16");
  EXPECT_EQ(with([](auto &v) { v.sizes = {6}; }),
            "expects capture 'table' of rank 2, got 1");
  EXPECT_EQ(with([](auto &v) { v.strides = {0, 3}; }), "");
  EXPECT_EQ(with([](auto &v) { v.strides = {1}; }),
            "expects 2 strides for capture 'table', got 1");
  EXPECT_EQ(with([](auto &v) {
              v.strides = {3, -1};
            }),
            "expects capture 'table' with strides of at least 0, got -1");
  EXPECT_EQ(with([](auto &v) {
              v.sizes = {2, -3};
            }),
            "expects capture 'table' with sizes of at least 0, got -3");
  EXPECT_EQ(with([](auto &v) { v.data = nullptr; }),
            "expects memory for capture 'table', got null");
  EXPECT_EQ(with([](auto &v) { v.data = nullptr, v.sizes = {0, 3}; }), "");
}
