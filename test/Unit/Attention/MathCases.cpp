// See MathCases.h.
#include "MathCases.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace attn::test;

namespace {

using Args = const Scalar *;
using Wide = __int128;

uint64_t maskOf(int width) {
  return width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
}
int64_t signExtend(uint64_t bits, int width) {
  bits &= maskOf(width);
  return width < 64 && bits >> (width - 1) ? int64_t(bits | ~maskOf(width))
                                           : int64_t(bits);
}
uint64_t unsignedOf(int64_t x, int width) {
  return uint64_t(x) & maskOf(width);
}
int64_t least(int width) { return int64_t(uint64_t(1) << 63) >> (64 - width); }

template <typename To, typename From> To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

/// Rounded to the type, as a number.
double roundedTo(const std::string &type, double x) {
  float single = float(x);
  if (type == "f32" || !std::isfinite(single) || single == 0)
    return single;
  int digits = type == "f16" ? 11 : 8, lowest = type == "f16" ? -14 : -126;
  int exponent;
  std::frexp(single, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 1, lowest) - digits + 1);
  double rounded = std::nearbyint(single / unit) * unit;
  double largest = type == "f16" ? 65504 : 3.3895313892515355e38;
  return std::fabs(rounded) > largest
             ? std::copysign(std::numeric_limits<double>::infinity(), rounded)
             : rounded;
}

/// Towards zero, to the nearest integer of the width; NaN gives 0.
int64_t truncated(double x, int width) {
  double whole = std::trunc(x), end = std::ldexp(1.0, width - 1);
  return std::isnan(whole) ? 0
         : whole < -end    ? least(width)
         : whole >= end    ? ~least(width)
                           : int64_t(whole);
}

/// The number with the bits of an f16 or bf16.
double halfOf(const std::string &type, uint16_t bits) {
  if (type == "bf16")
    return bitsAs<float>(uint32_t(bits) << 16);
  int exponent = bits >> 10 & 31, digits = bits & 1023;
  double size =
      exponent == 31
          ? (digits ? std::nan("") : std::numeric_limits<double>::infinity())
      : exponent ? std::ldexp(1024 + digits, exponent - 25)
                 : std::ldexp(digits, -24);
  return std::copysign(size, bits >> 15 ? -1.0 : 1.0);
}

/// The bits of such a number, by looking for them: NaN has one pattern.
uint16_t halfBits(const std::string &type, double x) {
  if (std::isnan(x))
    return type == "f16" ? 0x7e00 : 0x7fc0;
  // The patterns of one sign are in the numbers' order.
  uint16_t sign = std::signbit(x) ? 0x8000 : 0, low = 0, high = 0x7fff;
  while (low < high) {
    auto middle = uint16_t((low + high) / 2);
    if (halfOf(type, middle) < std::fabs(x))
      low = uint16_t(middle + 1);
    else
      high = middle;
  }
  return sign | low;
}

int64_t power(int64_t x, int64_t n) {
  if (n < 0)
    return x == 1 ? 1 : x == -1 ? (n & 1 ? -1 : 1) : 0;
  uint64_t result = 1, square = uint64_t(x);
  for (uint64_t rest = uint64_t(n); rest; rest >>= 1, square *= square)
    if (rest & 1)
      result *= square;
  return int64_t(result);
}

/// -0 is less than +0; `number`: NaN gives the other one.
double extreme(double x, double y, bool largest, bool number) {
  if (std::isnan(x) || std::isnan(y))
    return number ? (std::isnan(x) ? y : x) : std::nan("");
  if (x == y)
    return std::signbit(x) == largest ? y : x;
  return (x > y) == largest ? x : y;
}

class Cases {
public:
  std::vector<MathCase> all;

  void add(const std::string &op, std::vector<std::string> operands,
           const std::string &text, const std::string &result,
           std::function<Scalar(Args)> expected, double units = 0,
           bool flushes = false) {
    all.push_back({op, std::move(operands), text, result, std::move(expected),
                   units, flushes});
  }

  void integers(const std::string &type);
  void comparisons();
  void conversions();
  void functions();
  void smallFloats(const std::string &type);

private:
  void binary(const std::string &op, const std::string &type,
              std::function<int64_t(int64_t, int64_t)> f) {
    int width = widthOf(type);
    add(op, {type, type}, "%r = " + op + " %a, %b : " + type, type,
        [f, width](Args x) {
          return Scalar{0, signExtend(uint64_t(f(x[0].i, x[1].i)), width)};
        });
  }
  void unary(const std::string &op, const std::string &type,
             std::function<int64_t(int64_t)> f) {
    int width = widthOf(type);
    add(op, {type}, "%r = " + op + " %a : " + type, type, [f, width](Args x) {
      return Scalar{0, signExtend(uint64_t(f(x[0].i)), width)};
    });
  }
  void halves(const std::string &op, const std::string &type,
              std::function<Wide(Wide, Wide)> f, bool isSigned);
  void function(const std::string &op, double (*f)(double), double units,
                bool flushes = false) {
    add(
        op, {"f32"}, "%r = " + op + " %a : f32", "f32",
        [f](Args x) {
          return Scalar{f(x[0].f), 0};
        },
        units, flushes);
  }
  void function2(const std::string &op, double (*f)(double, double),
                 double units = 0) {
    add(
        op, {"f32", "f32"}, "%r = " + op + " %a, %b : f32", "f32",
        [f](Args x) {
          return Scalar{f(x[0].f, x[1].f), 0};
        },
        units);
  }
  void test(const std::string &op, const std::string &type, bool (*f)(double)) {
    add(op, {type}, "%r = " + op + " %a : " + type, "i1", [f](Args x) {
      return Scalar{0, f(x[0].f) ? -1 : 0};
    });
  }
  void toInteger(const std::string &type);
};

/// Both results of an extended operation, one case for each.
void Cases::halves(const std::string &op, const std::string &type,
                   std::function<Wide(Wide, Wide)> f, bool isSigned) {
  int width = widthOf(type);
  bool isCarry = op == "arith.addui_extended";
  std::string results =
      isCarry ? "%lower, %upper = " + op + " %a, %b : " + type + ", i1"
              : "%lower, %upper = " + op + " %a, %b : " + type;
  for (bool high : {false, true}) {
    std::string result = high && isCarry ? "i1" : type;
    std::string part = high ? "%upper" : "%lower";
    std::string text = results + "\n%nothing = arith.constant " +
                       (result == "i1" ? "false" : "0 : " + result) +
                       "\n%r = arith.ori " + part + ", %nothing : " + result;
    int resultWidth = widthOf(result);
    add(op, {type, type}, text, result, [=](Args x) {
      Wide a = isSigned ? Wide(x[0].i) : Wide(unsignedOf(x[0].i, width));
      Wide b = isSigned ? Wide(x[1].i) : Wide(unsignedOf(x[1].i, width));
      auto both = static_cast<unsigned __int128>(f(a, b));
      return Scalar{
          0, signExtend(uint64_t(high ? both >> width : both), resultWidth)};
    });
  }
}

void Cases::integers(const std::string &t) {
  int w = widthOf(t);
  auto u = [w](int64_t x) { return unsignedOf(x, w); };
  auto times = [](int64_t a, int64_t b) {
    return int64_t(uint64_t(a) * uint64_t(b));
  };
  auto quotient = [](int64_t a, int64_t b) {
    return b == 0 ? 0 : b == -1 ? int64_t(-uint64_t(a)) : a / b;
  };
  auto rest = [](int64_t a, int64_t b) {
    return b == 0 ? a : b == -1 ? 0 : a % b;
  };
  auto isShift = [=](int64_t b) { return u(b) < uint64_t(w); };
  binary("arith.addi", t, [](int64_t a, int64_t b) {
    return int64_t(uint64_t(a) + uint64_t(b));
  });
  binary("arith.subi", t, [](int64_t a, int64_t b) {
    return int64_t(uint64_t(a) - uint64_t(b));
  });
  binary("arith.muli", t, times);
  binary("arith.andi", t, [](int64_t a, int64_t b) { return a & b; });
  binary("arith.ori", t, [](int64_t a, int64_t b) { return a | b; });
  binary("arith.xori", t, [](int64_t a, int64_t b) { return a ^ b; });
  binary("arith.divsi", t, quotient);
  binary("arith.remsi", t, rest);
  binary("arith.divui", t, [=](int64_t a, int64_t b) {
    return b == 0 ? 0 : int64_t(u(a) / u(b));
  });
  binary("arith.remui", t, [=](int64_t a, int64_t b) {
    return b == 0 ? a : int64_t(u(a) % u(b));
  });
  binary("arith.floordivsi", t, [=](int64_t a, int64_t b) {
    bool down = b != 0 && rest(a, b) != 0 && (a < 0) != (b < 0);
    return quotient(a, b) - down;
  });
  binary("arith.ceildivsi", t, [=](int64_t a, int64_t b) {
    bool up = b != 0 && rest(a, b) != 0 && (a < 0) == (b < 0);
    return quotient(a, b) + up;
  });
  binary("arith.ceildivui", t, [=](int64_t a, int64_t b) {
    return b == 0 ? 0 : int64_t(u(a) / u(b) + (u(a) % u(b) != 0));
  });
  binary("arith.maxsi", t, [](int64_t a, int64_t b) { return a > b ? a : b; });
  binary("arith.minsi", t, [](int64_t a, int64_t b) { return a < b ? a : b; });
  binary("arith.maxui", t,
         [=](int64_t a, int64_t b) { return u(a) > u(b) ? a : b; });
  binary("arith.minui", t,
         [=](int64_t a, int64_t b) { return u(a) < u(b) ? a : b; });
  binary("arith.shli", t, [=](int64_t a, int64_t b) {
    return isShift(b) ? int64_t(uint64_t(a) << u(b)) : 0;
  });
  binary("arith.shrui", t, [=](int64_t a, int64_t b) {
    return isShift(b) ? int64_t(u(a) >> u(b)) : 0;
  });
  binary("arith.shrsi", t, [=](int64_t a, int64_t b) {
    return a >> (isShift(b) ? u(b) : uint64_t(w - 1));
  });
  binary("math.ipowi", t, power);
  unary("math.absi", t,
        [](int64_t a) { return a < 0 ? int64_t(-uint64_t(a)) : a; });
  unary("math.ctpop", t,
        [=](int64_t a) { return int64_t(__builtin_popcountll(u(a))); });
  unary("math.ctlz", t, [=](int64_t a) {
    return u(a) ? int64_t(__builtin_clzll(u(a))) - (64 - w) : w;
  });
  unary("math.cttz", t,
        [=](int64_t a) { return u(a) ? int64_t(__builtin_ctzll(u(a))) : w; });
  // i128 is no type of a target.
  halves(
      "arith.addui_extended", t, [](Wide a, Wide b) { return a + b; }, false);
  halves(
      "arith.mulsi_extended", t, [](Wide a, Wide b) { return a * b; }, true);
  halves(
      "arith.mului_extended", t,
      [](Wide a, Wide b) {
        return Wide(static_cast<unsigned __int128>(a) *
                    static_cast<unsigned __int128>(b));
      },
      false);
  add("arith.select", {"i1", t, t}, "%r = arith.select %a, %b, %c : " + t, t,
      [](Args x) { return x[0].i ? x[1] : x[2]; });
}

void Cases::comparisons() {
  using Integers = bool (*)(int64_t, int64_t);
  const std::pair<const char *, Integers> integers[] = {
      {"eq", [](int64_t a, int64_t b) { return a == b; }},
      {"ne", [](int64_t a, int64_t b) { return a != b; }},
      {"slt", [](int64_t a, int64_t b) { return a < b; }},
      {"sle", [](int64_t a, int64_t b) { return a <= b; }},
      {"sgt", [](int64_t a, int64_t b) { return a > b; }},
      {"sge", [](int64_t a, int64_t b) { return a >= b; }},
      {"ult", [](int64_t a, int64_t b) { return uint64_t(a) < uint64_t(b); }},
      {"ule", [](int64_t a, int64_t b) { return uint64_t(a) <= uint64_t(b); }},
      {"ugt", [](int64_t a, int64_t b) { return uint64_t(a) > uint64_t(b); }},
      {"uge", [](int64_t a, int64_t b) { return uint64_t(a) >= uint64_t(b); }}};
  for (auto [predicate, holds] : integers)
    for (const char *type : {"i1", "i8", "i16", "i32", "i64"})
      add("arith.cmpi", {type, type},
          std::string("%r = arith.cmpi ") + predicate + ", %a, %b : " + type,
          "i1", [holds = holds](Args x) {
            return Scalar{0, holds(x[0].i, x[1].i) ? -1 : 0};
          });
  using Floats = bool (*)(double, double);
  const std::pair<const char *, Floats> floats[] = {
      {"eq", [](double a, double b) { return a == b; }},
      {"ne", [](double a, double b) { return a != b; }},
      {"lt", [](double a, double b) { return a < b; }},
      {"le", [](double a, double b) { return a <= b; }},
      {"gt", [](double a, double b) { return a > b; }},
      {"ge", [](double a, double b) { return a >= b; }}};
  for (auto [predicate, holds] : floats)
    for (bool ordered : {true, false})
      add("arith.cmpf", {"f32", "f32"},
          std::string("%r = arith.cmpf ") + (ordered ? "o" : "u") + predicate +
              ", %a, %b : f32",
          "i1", [holds = holds, ordered = ordered](Args x) {
            bool nan = std::isnan(x[0].f) || std::isnan(x[1].f);
            bool result = nan ? !ordered : holds(x[0].f, x[1].f);
            return Scalar{0, result ? -1 : 0};
          });
  for (const char *type : {"f32", "f16", "bf16"})
    for (bool ordered : {true, false})
      add("arith.cmpf", {type, type},
          std::string("%r = arith.cmpf ") + (ordered ? "ord" : "uno") +
              ", %a, %b : " + type,
          "i1", [ordered = ordered](Args x) {
            bool nan = std::isnan(x[0].f) || std::isnan(x[1].f);
            return Scalar{0, nan != ordered ? -1 : 0};
          });
}

void Cases::toInteger(const std::string &t) {
  int w = widthOf(t);
  add("arith.fptosi", {"f32"}, "%r = arith.fptosi %a : f32 to " + t, t,
      [w](Args x) {
        return Scalar{0, truncated(x[0].f, w)};
      });
  add("arith.fptoui", {"f32"}, "%r = arith.fptoui %a : f32 to " + t, t,
      [w](Args x) {
        double whole = std::trunc(x[0].f), end = std::ldexp(1.0, w);
        uint64_t result = !(whole > 0)   ? 0
                          : whole >= end ? maskOf(w)
                                         : uint64_t(whole);
        return Scalar{0, signExtend(result, w)};
      });
  add("arith.sitofp", {t}, "%r = arith.sitofp %a : " + t + " to f32", "f32",
      [](Args x) {
        return Scalar{double(float(x[0].i)), 0};
      });
  add("arith.uitofp", {t}, "%r = arith.uitofp %a : " + t + " to f32", "f32",
      [w](Args x) {
        return Scalar{double(float(unsignedOf(x[0].i, w))), 0};
      });
}

void Cases::conversions() {
  const std::pair<const char *, const char *> widenings[] = {
      {"i1", "i8"},   {"i1", "i16"}, {"i1", "i32"}, {"i1", "i64"},
      {"i8", "i16"},  {"i8", "i32"}, {"i8", "i64"}, {"i16", "i32"},
      {"i16", "i64"}, {"i32", "i64"}};
  for (auto [from, to] : widenings) {
    int w = widthOf(from);
    std::string types = std::string(" %a : ") + from + " to " + to;
    add("arith.extsi", {from}, "%r = arith.extsi" + types, to, [](Args x) {
      return Scalar{0, x[0].i};
    });
    add("arith.extui", {from}, "%r = arith.extui" + types, to, [w](Args x) {
      return Scalar{0, int64_t(unsignedOf(x[0].i, w))};
    });
    types = std::string(" %a : ") + to + " to " + from;
    add("arith.trunci", {to}, "%r = arith.trunci" + types, from, [w](Args x) {
      return Scalar{0, signExtend(uint64_t(x[0].i), w)};
    });
  }
  for (const char *t : {"i1", "i8", "i16", "i32", "i64"}) {
    int w = widthOf(t);
    std::string to = std::string(" %a : ") + t + " to index",
                from = std::string(" %a : index to ") + t;
    add("arith.index_cast", {t}, "%r = arith.index_cast" + to, "index",
        [](Args x) {
          return Scalar{0, x[0].i};
        });
    add("arith.index_castui", {t}, "%r = arith.index_castui" + to, "index",
        [w](Args x) {
          return Scalar{0, int64_t(unsignedOf(x[0].i, w))};
        });
    for (const char *op : {"arith.index_cast", "arith.index_castui"})
      add(op, {"index"}, std::string("%r = ") + op + from, t, [w](Args x) {
        return Scalar{0, signExtend(uint64_t(x[0].i), w)};
      });
    toInteger(t);
  }
  add("arith.bitcast", {"f32"}, "%r = arith.bitcast %a : f32 to i32", "i32",
      [](Args x) {
        bool nan = std::isnan(x[0].f);
        return Scalar{0, nan ? 0x7fc00000 : bitsAs<int32_t>(float(x[0].f))};
      });
  for (std::string t : {"f16", "bf16"}) {
    // The same number, and so the same pattern in both widths.
    std::string cast = "arith.bitcast %a : " + t + " to i16";
    add("arith.bitcast", {t}, "%r = " + cast, "i16", [t](Args x) {
      return Scalar{0, signExtend(halfBits(t, x[0].f), 16)};
    });
    std::string back = "arith.bitcast %a : i16 to " + t;
    add("arith.bitcast", {"i16"}, "%r = " + back, t, [t](Args x) {
      return Scalar{halfOf(t, uint16_t(x[0].i)), 0};
    });
  }
  add("arith.bitcast", {"i32"}, "%r = arith.bitcast %a : i32 to f32", "f32",
      [](Args x) {
        return Scalar{bitsAs<float>(int32_t(x[0].i)), 0};
      });
  for (std::string t : {"f16", "bf16"}) {
    add("arith.truncf", {"f32"}, "%r = arith.truncf %a : f32 to " + t, t,
        [t](Args x) {
          return Scalar{roundedTo(t, x[0].f), 0};
        });
    add("arith.extf", {t}, "%r = arith.extf %a : " + t + " to f32", "f32",
        [](Args x) { return x[0]; });
  }
}

double clamp(double x, double low, double high) {
  return extreme(extreme(x, low, true, false), high, false, false);
}

void Cases::functions() {
  add("arith.constant", {}, "%r = arith.constant 1.5 : f32", "f32", [](Args) {
    return Scalar{1.5, 0};
  });
  function2("arith.addf", [](double x, double y) { return x + y; });
  function2("arith.subf", [](double x, double y) { return x - y; });
  function2("arith.mulf", [](double x, double y) { return x * y; });
  function2("arith.divf", [](double x, double y) { return x / y; });
  function2("arith.remf", [](double x, double y) { return std::fmod(x, y); });
  function2("arith.maximumf",
            [](double x, double y) { return extreme(x, y, true, false); });
  function2("arith.minimumf",
            [](double x, double y) { return extreme(x, y, false, false); });
  function2("arith.maxnumf",
            [](double x, double y) { return extreme(x, y, true, true); });
  function2("arith.minnumf",
            [](double x, double y) { return extreme(x, y, false, true); });
  function2("math.copysign",
            [](double x, double y) { return std::copysign(x, y); });
  function2("math.atan2", std::atan2, 2.5);
  function2("math.powf", std::pow, 1);
  function(
      "arith.negf", [](double x) { return -x; }, 0);
  function("math.absf", std::fabs, 0);
  function("math.ceil", std::ceil, 0);
  function("math.floor", std::floor, 0);
  function("math.round", std::round, 0);
  function("math.roundeven", std::nearbyint, 0);
  function("math.trunc", std::trunc, 0);
  function("math.sqrt", std::sqrt, 0);
  function(
      "math.rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1.5);
  function("math.cbrt", std::cbrt, 1);
  function("math.exp", std::exp, 1.5);
  function("math.exp2", std::exp2, 2, /*flushes=*/true);
  function("math.expm1", std::expm1, 2);
  function("math.log", std::log, 1.5);
  function("math.log2", std::log2, 1.5);
  function("math.log10", std::log10, 1.5);
  function("math.log1p", std::log1p, 2);
  function("math.sin", std::sin, 3);
  function("math.cos", std::cos, 3);
  function("math.tan", std::tan, 5);
  function("math.asin", std::asin, 2.5);
  function("math.acos", std::acos, 1.5);
  function("math.atan", std::atan, 2.5);
  function("math.sinh", std::sinh, 2.5);
  function("math.cosh", std::cosh, 2);
  function("math.tanh", std::tanh, 5);
  function("math.asinh", std::asinh, 2.5);
  function("math.acosh", std::acosh, 2.5);
  function("math.atanh", std::atanh, 3);
  function("math.erf", std::erf, 5);
  function("math.erfc", std::erfc, 5);
  for (bool cosine : {false, true})
    add(
        "math.sincos", {"f32"},
        std::string(
            "%sine, %cosine = math.sincos %a : f32\n%one = arith.constant "
            "1.0 : f32\n%r = arith.mulf ") +
            (cosine ? "%cosine" : "%sine") + ", %one : f32",
        "f32",
        [cosine](Args x) {
          return Scalar{cosine ? std::cos(x[0].f) : std::sin(x[0].f), 0};
        },
        3);
  add("math.fma", {"f32", "f32", "f32"}, "%r = math.fma %a, %b, %c : f32",
      "f32", [](Args x) {
        return Scalar{std::fma(float(x[0].f), float(x[1].f), float(x[2].f)), 0};
      });
  add("math.clampf", {"f32", "f32", "f32"},
      "%r = math.clampf %a to [%b, %c] : f32", "f32", [](Args x) {
        return Scalar{clamp(x[0].f, x[1].f, x[2].f), 0};
      });
  for (std::string t : {"i8", "i16", "i32", "i64"})
    add(
        "math.fpowi", {"f32", t}, "%r = math.fpowi %a, %b : f32, " + t, "f32",
        [](Args x) {
          // Of 64 bits some are lost in f64, and with them what is odd.
          double y = double(x[1].i), r = std::pow(std::fabs(x[0].f), y);
          bool odd = x[1].i & 1;
          return Scalar{std::signbit(x[0].f) && odd ? -r : r, 0};
        },
        1);
  for (const char *t : {"f32", "f16", "bf16"}) {
    test("math.isnan", t, [](double x) { return std::isnan(x); });
    test("math.isinf", t, [](double x) { return std::isinf(x); });
    test("math.isfinite", t, [](double x) { return std::isfinite(x); });
  }
  test("math.isnormal", "f32",
       [](double x) { return std::isnormal(float(x)); });
  test("math.isnormal", "bf16",
       [](double x) { return std::isnormal(float(x)); });
  test("math.isnormal", "f16",
       [](double x) { return std::isfinite(x) && std::fabs(x) >= 0x1p-14; });
}

/// f16 and bf16 compute in f32 and round.
void Cases::smallFloats(const std::string &t) {
  using Binary = double (*)(double, double);
  const std::pair<const char *, Binary> binaries[] = {
      {"arith.addf", [](double x, double y) { return double(float(x + y)); }},
      {"arith.mulf", [](double x, double y) { return double(float(x * y)); }},
      {"arith.divf", [](double x, double y) { return double(float(x / y)); }},
      {"arith.remf", [](double x, double y) { return std::fmod(x, y); }},
      {"arith.maxnumf",
       [](double x, double y) { return extreme(x, y, true, true); }},
      {"math.copysign",
       [](double x, double y) { return std::copysign(x, y); }}};
  for (auto [op, f] : binaries)
    add(op, {t, t}, std::string("%r = ") + op + " %a, %b : " + t, t,
        [f = f, t](Args x) {
          return Scalar{roundedTo(t, f(x[0].f, x[1].f)), 0};
        });
  for (const char *op : {"arith.negf", "math.absf"}) {
    bool negates = op[0] == 'a';
    add(op, {t}, std::string("%r = ") + op + " %a : " + t, t,
        [negates](Args x) {
          return Scalar{negates ? -x[0].f : std::fabs(x[0].f), 0};
        });
  }
  add("arith.cmpf", {t, t}, "%r = arith.cmpf olt, %a, %b : " + t, "i1",
      [](Args x) {
        return Scalar{0, x[0].f < x[1].f ? -1 : 0};
      });
  for (std::string i : {"i8", "i16", "i32", "i64"}) {
    int w = widthOf(i);
    add("arith.sitofp", {i}, "%r = arith.sitofp %a : " + i + " to " + t, t,
        [t](Args x) {
          return Scalar{roundedTo(t, float(x[0].i)), 0};
        });
    add("arith.fptosi", {t}, "%r = arith.fptosi %a : " + t + " to " + i, i,
        [w](Args x) {
          return Scalar{0, truncated(x[0].f, w)};
        });
  }
}

} // namespace

std::string MathCase::name() const {
  std::string types;
  for (const std::string &type : operands)
    types += " " + type;
  return text + " of" + types;
}

std::vector<MathCase> attn::test::mathCases() {
  Cases cases;
  for (const char *type : {"i1", "i8", "i16", "i32", "i64", "index"})
    cases.integers(type);
  cases.comparisons();
  cases.conversions();
  cases.functions();
  cases.smallFloats("f16");
  cases.smallFloats("bf16");
  return cases.all;
}

bool attn::test::isFloatType(const std::string &type) {
  return type == "f32" || type == "f16" || type == "bf16";
}

int attn::test::widthOf(const std::string &type) {
  return type == "index" ? 64 : std::stoi(type.substr(1));
}

std::vector<Scalar> attn::test::specialValues(const std::string &type) {
  std::vector<Scalar> values;
  if (!isFloatType(type)) {
    int w = widthOf(type);
    for (int64_t x :
         {int64_t(0), int64_t(1), int64_t(-1), int64_t(2), int64_t(-2),
          int64_t(3), int64_t(-7), int64_t(31), int64_t(32), int64_t(33),
          int64_t(63), int64_t(64), int64_t(100), int64_t(1) << 24,
          int64_t(INT32_MAX), int64_t(INT32_MIN), least(w), ~least(w)})
      values.push_back({0, signExtend(uint64_t(x), w)});
    return values;
  }
  double infinity = std::numeric_limits<double>::infinity();
  for (double x :
       {0.0, 1.0, 0.5, 2.0, 3.0, 0.3, 1.5707964, 3.1415927, 88.5, 0x1p-149,
        1.17e-38, 0x1p-126, 6e-6, 1e-20, 1e10, 65504.0, 3.4028235e38, infinity})
    for (double sign : {1.0, -1.0})
      values.push_back({roundedTo(type, sign * x), 0});
  values.push_back({std::nan(""), 0});
  return values;
}

Scalar attn::test::randomValue(const std::string &type, uint64_t seed) {
  uint64_t bits = (seed + 1) * 0x9e3779b97f4a7c15u;
  bits = (bits ^ bits >> 29) * 0xbf58476d1ce4e5b9u;
  bits ^= bits >> 32;
  if (!isFloatType(type)) {
    int w = widthOf(type);
    // Numbers of all lengths.
    return {0, signExtend(uint64_t(int64_t(bits) >> (bits & 63)), w)};
  }
  // Half of them near one, half of any exponent.
  auto word = uint32_t(bits);
  double x = bits >> 62 & 1 ? bitsAs<float>(word)
                            : std::ldexp(double(word & 0xffffff) / 0x1p24 - 0.5,
                                         int(bits >> 40 & 7));
  return {roundedTo(type, x), 0};
}

double attn::test::unitsBetween(float actual, double expected) {
  if (std::isnan(expected) || std::isnan(actual))
    return std::isnan(expected) == std::isnan(actual)
               ? 0
               : std::numeric_limits<double>::infinity();
  if (double(actual) == expected || actual == float(expected))
    return actual == 0 && std::signbit(actual) != std::signbit(expected) ? 1e9
                                                                         : 0;
  if (std::isinf(expected))
    return std::numeric_limits<double>::infinity();
  int exponent;
  std::frexp(expected, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 1, -126) - 23);
  // Infinity is where the next float would be.
  double reached = std::isinf(actual) ? std::copysign(0x1p128, actual) : actual;
  return std::fabs(reached - expected) / unit;
}
