// Mods whose results are defined by docs/Mods.md alone: divisions that a branch
// guards or nothing does, shifts by too much, floats that fit no integer,
// subnormal numbers. Kernels of all targets against plain C++.
#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

struct Variant {
  const char *name;
  const char *captures, *program;
  /// `table`: one number for each query.
  std::function<bool(const std::vector<int32_t> &table, int q, int kv)> mask;
  std::function<double(double s, const std::vector<int32_t> &table, int q,
                       int kv)>
      score;
};

int32_t wrapped(int64_t x) { return int32_t(uint32_t(x)); }
int32_t quotient(int32_t x, int32_t y) {
  return y == 0 ? 0 : wrapped(int64_t(x) / y);
}
int32_t rest(int32_t x, int32_t y) {
  return y == 0 ? x : int32_t(int64_t(x) % y);
}
float asFloat(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// 0, -1, the least integer and others, also as bits of floats: subnormal, NaN.
std::vector<int32_t> tableOf(int64_t length) {
  const int32_t some[] = {0,          -1,         3,  INT32_MIN,  7, 40, 1, -5,
                          0x7fc00000, 0x3f800000, 17, 0x00000400, 33};
  std::vector<int32_t> table;
  for (int64_t i = 0; i < length; ++i)
    table.push_back(some[i % std::size(some)]);
  return table;
}

const Variant variants[] = {
    {"DivisorsOrTheFirstQuery", "", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %later = arith.cmpi sgt, %q, %zero : i32
    %keep = scf.if %later -> (i1) {
      %n = arith.remui %kv, %q : i32
      %divides = arith.cmpi eq, %n, %zero : i32
      scf.yield %divides : i1
    } else {
      %all = arith.constant true
      scf.yield %all : i1
    }
    attn.yield %keep : i1
  })",
     [](auto &, int q, int kv) { return q == 0 || kv % q == 0; }, nullptr},
    // Of a division whose divisor is zero for whole lanes of a branch.
    {"NestedGuards", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %n = attn.load %t[%q] : tensor<?xi32>
    %some = arith.cmpi ne, %n, %zero : i32
    %keep = scf.if %some -> (i1) {
      %d = arith.subi %q, %kv : i32
      %far = arith.cmpi ne, %d, %zero : i32
      %k = scf.if %far -> (i1) {
        %x = arith.divsi %n, %d : i32
        %y = arith.floordivsi %kv, %n : i32
        %le = arith.cmpi sle, %x, %y : i32
        scf.yield %le : i1
      } else {
        scf.yield %far : i1
      }
      scf.yield %k : i1
    } else {
      scf.yield %some : i1
    }
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       int32_t n = t[q], d = q - kv;
       if (n == 0 || d == 0)
         return false;
       int32_t floor = quotient(kv, n) - (rest(kv, n) != 0 && n < 0);
       return quotient(n, d) <= floor;
     },
     nullptr},
    {"UnguardedByATable", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %t[%q] : tensor<?xi32>
    %c5 = arith.constant 5 : i32
    %r = arith.remsi %kv, %n : i32
    %d = arith.divsi %n, %n : i32
    %x = arith.addi %r, %d : i32
    %keep = arith.cmpi slt, %x, %c5 : i32
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       return rest(kv, t[q]) + quotient(t[q], t[q]) < 5;
     },
     nullptr},
    // Lists are made for the mask without it.
    {"ABranchThatNeverRuns", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %never = arith.cmpi sgt, %kv, %kv : i32
    %keep = scf.if %never -> i1 {
      %m = attn.load %t[%kv] : tensor<?xi32>
      %x = arith.cmpi sgt, %m, %q : i32
      scf.yield %x : i1
    } else {
      %n = attn.load %t[%q] : tensor<?xi32>
      %c3 = arith.constant 3 : i32
      %x = arith.cmpi sle, %n, %c3 : i32
      scf.yield %x : i1
    }
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int) { return t[q] <= 3; }, nullptr},
    // The scalar is 0.
    {"UnguardedByAScalar", "%zero: i32", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %r = arith.remui %kv, %zero : i32
    %d = arith.ceildivsi %q, %zero : i32
    %e = arith.addi %q, %d : i32
    %keep = arith.cmpi ule, %r, %e : i32
    attn.yield %keep : i1
  })",
     [](auto &, int q, int kv) { return kv <= q; }, nullptr},
    {"WindowOnBothSides", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %t[%q] : tensor<?xi32>
    %size = math.absi %n : i32
    %d = arith.subi %kv, %q : i32
    %a = math.absi %d : i32
    %keep = arith.cmpi sle, %a, %size : i32
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       int32_t n = t[q];
       return std::abs(kv - q) <= (n == INT32_MIN ? n : std::abs(n));
     },
     nullptr},
    {"ShiftsByATable", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %t[%q] : tensor<?xi32>
    %one = arith.constant 1 : i32
    %x = arith.shrui %kv, %n : i32
    %y = arith.shli %x, %n : i32
    %minus = arith.subi %y, %one : i32
    %z = arith.shrsi %minus, %n : i32
    %keep = arith.cmpi sle, %z, %x : i32
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       auto n = uint32_t(t[q]);
       uint32_t x = n < 32 ? uint32_t(kv) >> n : 0, y = n < 32 ? x << n : 0;
       return (int32_t(y - 1) >> (n < 32 ? n : 31)) <= int32_t(x);
     },
     nullptr},
    // NaN, and what is far outside of i32.
    {"FloatsAsIntegers", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %t[%q] : tensor<?xi32>
    %f = arith.bitcast %n : i32 to f32
    %huge = arith.constant 1.0e30 : f32
    %g = arith.mulf %f, %huge : f32
    %i = arith.fptosi %g : f32 to i32
    %keep = arith.cmpi sge, %i, %kv : i32
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       float g = asFloat(t[q]) * 1e30f;
       int32_t i = std::isnan(g)        ? 0
                   : g >= 2147483648.0f ? INT32_MAX
                   : g < -2147483648.0f ? INT32_MIN
                                        : int32_t(g);
       return i >= kv;
     },
     nullptr},
    // Subnormal numbers are numbers, in comparisons and in arithmetic.
    {"SubnormalNumbers", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %t[%q] : tensor<?xi32>
    %f = arith.bitcast %n : i32 to f32
    %tiny = arith.constant 1.0e-42 : f32
    %i = arith.sitofp %kv : i32 to f32
    %x = arith.mulf %tiny, %i : f32
    %y = arith.subf %x, %tiny : f32
    %keep = arith.cmpf ole, %f, %y : f32
    attn.yield %keep : i1
  })",
     [](auto &t, int q, int kv) {
       volatile float x = 1e-42f * float(kv);
       volatile float y = x - 1e-42f;
       return asFloat(t[q]) <= y;
     },
     nullptr},
    // A product and a sum are rounded twice where they decide.
    {"ProductsAndSumsAreNotFused", "%t: tensor<?xi32>", R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %third = arith.constant 0.333333343 : f32
    %three = arith.constant 3.0 : f32
    %zero = arith.constant 0.0 : f32
    %i = arith.addi %q, %kv : i32
    %f = arith.sitofp %i : i32 to f32
    %n = arith.divf %f, %three : f32
    %x = arith.mulf %f, %third : f32
    %d = arith.subf %x, %n : f32
    %keep = arith.cmpf oeq, %d, %zero : f32
    attn.yield %keep : i1
  })",
     [](auto &, int q, int kv) {
       volatile float x = float(q + kv) * 0.333333343f;
       volatile float n = float(q + kv) / 3.0f;
       return x == n;
     },
     nullptr},
    {"GuardedInAScore", "%t: tensor<?xi32>", R"(
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %n = attn.load %t[%q] : tensor<?xi32>
    %some = arith.cmpi sgt, %n, %zero : i32
    %x = scf.if %some -> (f32) {
      %r = arith.remsi %kv, %n : i32
      %f = arith.sitofp %r : i32 to f32
      %tenth = arith.constant 0.1 : f32
      %g = arith.mulf %f, %tenth : f32
      %y = math.cos %g : f32
      scf.yield %y : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %x : f32
  })",
     nullptr,
     [](double s, auto &t, int q, int kv) {
       return t[q] > 0 ? std::cos(double(float(kv % t[q]) * 0.1f)) : s;
     }},
};

class ModResults : public testing::TestWithParam<Variant> {};

TEST_P(ModResults, AreDefined) {
  const Variant &v = GetParam();
  std::string captures = v.captures;
  std::string list = captures.empty() ? "" : "(" + captures + ")";
  Result<Mod> mod =
      Mod::fromSource("attn.mod @m" + list + v.program, "mod.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.sizes = {1, 2, 1, 140, 150, 16, 16, 1};
  std::vector<int32_t> table = tableOf(c.sizes.queries);
  std::vector<CaptureData> data;
  if (!captures.empty()) {
    bool isTable = captures.find("tensor") != std::string::npos;
    std::vector<int32_t> numbers = isTable ? table : std::vector<int32_t>{0};
    data.push_back({ElementType::I32, {}, {}});
    if (isTable)
      data[0].sizes = {c.sizes.queries};
    data[0].bytes.resize(numbers.size() * sizeof(int32_t));
    std::memcpy(data[0].bytes.data(), numbers.data(), data[0].bytes.size());
  }
  Oracle oracle;
  if (v.mask)
    oracle.mask = [&](int, int, int q, int kv) { return v.mask(table, q, kv); };
  if (v.score)
    oracle.score = [&](double s, int, int, int q, int kv) {
      return v.score(s, table, q, kv);
    };
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    c.type = type;
    runAndCompare(c, *mod, oracle, makeInputs(c), data);
  }
}

INSTANTIATE_TEST_SUITE_P(Mods, ModResults, testing::ValuesIn(variants),
                         [](const auto &info) { return info.param.name; });

} // namespace
