// Arithmetic on floats and the special functions.
#include "Decoder.h"
#include "Numbers.h"

#include <algorithm>

using namespace attn::ptx;

namespace {

// One lane each; templates, so that f32 and f64 share them.
struct Add {
  template <typename T> static T of(T a, T b) { return a + b; }
};
struct Sub {
  template <typename T> static T of(T a, T b) { return a - b; }
};
struct Mul {
  template <typename T> static T of(T a, T b) { return a * b; }
};
struct Div {
  template <typename T> static T of(T a, T b) { return a / b; }
};
struct Min { // a number wins over NaN, -0 is less than +0
  template <typename T> static T of(T a, T b) {
    if (std::isnan(a))
      return b;
    if (std::isnan(b))
      return a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <typename T> static T of(T a, T b) {
    if (std::isnan(a))
      return b;
    if (std::isnan(b))
      return a;
    return a > b || (a == b && !std::signbit(a)) ? a : b;
  }
};
template <typename Op> struct WithNaN {
  template <typename T> static T of(T a, T b) {
    return std::isnan(a) || std::isnan(b) ? T(NAN) : Op::of(a, b);
  }
};
struct CopySign { // of the first to the second
  template <typename T> static T of(T a, T b) { return std::copysign(b, a); }
};
struct Neg {
  template <typename T> static T of(T a) { return -a; }
};
struct Abs {
  template <typename T> static T of(T a) { return std::fabs(a); }
};
struct Exp2 {
  template <typename T> static T of(T a) { return T(std::exp2(double(a))); }
};
struct Log2 {
  template <typename T> static T of(T a) { return T(std::log2(double(a))); }
};
struct Reciprocal {
  template <typename T> static T of(T a) { return T(1) / a; }
};
struct Sqrt {
  template <typename T> static T of(T a) { return std::sqrt(a); }
};
struct RSqrt {
  template <typename T> static T of(T a) { return T(1 / std::sqrt(double(a))); }
};
struct Sin {
  template <typename T> static T of(T a) { return T(std::sin(double(a))); }
};
struct Cos {
  template <typename T> static T of(T a) { return T(std::cos(double(a))); }
};
struct Tanh {
  template <typename T> static T of(T a) { return T(std::tanh(double(a))); }
};

/// How a type lies in its row, and what is computed with.
template <typename T> struct Traits {
  using Number = T;
  static T load(T x) { return x; }
  static T store(T x) { return x; }
};
template <> struct Traits<Float16> {
  using Number = float;
  static float load(Float16 x) { return x; }
  static Float16 store(float x) { return Float16::round(x); }
};
template <> struct Traits<BFloat16> {
  using Number = float;
  static float load(BFloat16 x) { return x; }
  static BFloat16 store(float x) { return BFloat16::round(x); }
};
/// f32 whose subnormal numbers are zero, in and out.
struct Flushed {
  float value;
};
template <> struct Traits<Flushed> {
  using Number = float;
  static float load(Flushed x) { return flush(x.value); }
  static Flushed store(float x) { return {flush(x)}; }
};

template <typename T, typename Op>
void unary(Warp &w, const Instruction &i, Mask mask) {
  using Tr = Traits<T>;
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  forLanes(mask, [=](int l) {
    d[l] = Tr::store(Op::template of<typename Tr::Number>(Tr::load(a[l])));
  });
}

template <typename T, typename Op>
void binary(Warp &w, const Instruction &i, Mask mask) {
  using Tr = Traits<T>;
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  forLanes(mask, [=](int l) {
    d[l] = Tr::store(
        Op::template of<typename Tr::Number>(Tr::load(a[l]), Tr::load(b[l])));
  });
}

template <typename T> void fma(Warp &w, const Instruction &i, Mask mask) {
  using Tr = Traits<T>;
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]),
          *c = w.lanes<T>(i.operands[3]);
  forLanes(mask, [=](int l) {
    d[l] = Tr::store(std::fma(Tr::load(a[l]), Tr::load(b[l]), Tr::load(c[l])));
  });
}

/// Two numbers in a word.
template <typename T> void fmaPair(Warp &w, const Instruction &i, Mask mask) {
  uint32_t *d = w.lanes<uint32_t>(i.operands[0]);
  const uint32_t *a = w.lanes<uint32_t>(i.operands[1]),
                 *b = w.lanes<uint32_t>(i.operands[2]),
                 *c = w.lanes<uint32_t>(i.operands[3]);
  using Tr = Traits<T>;
  forLanes(mask, [=](int l) {
    uint32_t pair = 0;
    for (int shift : {0, 16}) {
      auto half = [&](uint32_t word) {
        return Tr::load(T{uint16_t(word >> shift)});
      };
      T result = Tr::store(std::fma(half(a[l]), half(b[l]), half(c[l])));
      pair |= uint32_t(result.bits) << shift;
    }
    d[l] = pair;
  });
}

/// values: which numbers it is about.
enum Class { Finite, Infinite, IsNumber, IsNaN, IsNormal, IsSubnormal };

template <typename T> void testClass(Warp &w, const Instruction &i, Mask mask) {
  const T *a = w.lanes<T>(i.operands[1]);
  Mask bits = 0;
  for (int l = 0; l < kLanes; ++l) {
    T x = a[l];
    bool holds = false;
    switch (i.values[0]) {
    case Finite:
      holds = std::isfinite(x);
      break;
    case Infinite:
      holds = std::isinf(x);
      break;
    case IsNumber:
      holds = !std::isnan(x);
      break;
    case IsNaN:
      holds = std::isnan(x);
      break;
    case IsNormal:
      holds = std::isnormal(x);
      break;
    case IsSubnormal:
      holds = std::fpclassify(x) == FP_SUBNORMAL;
      break;
    }
    bits |= Mask(holds) << l;
  }
  Mask &to = w.predicates[i.operands[0].row];
  to = (to & ~mask) | (bits & mask);
}

Handler decodeClass(Decoder &d) {
  static const std::map<std::string, Class> classes = {
      {"finite", Finite},   {"infinite", Infinite},
      {"number", IsNumber}, {"notanumber", IsNaN},
      {"normal", IsNormal}, {"subnormal", IsSubnormal}};
  auto found = classes.find(d.parts[1]);
  if (found == classes.end())
    return nullptr;
  d.predicate(0);
  d.value(1, bytesOf(d.type()));
  d.instruction.values[0] = found->second;
  return d.type() == "f32"   ? testClass<float>
         : d.type() == "f64" ? testClass<double>
                             : Handler(nullptr);
}

template <typename F> Handler forFloat(Decoder &d, F f) {
  const std::string &type = d.type();
  if (type == "f32")
    return d.has("ftz") ? f(Flushed()) : f(float());
  if (type == "f64")
    return f(double());
  if (type == "f16")
    return f(Float16());
  if (type == "bf16")
    return f(BFloat16());
  return nullptr;
}

template <typename Op> Handler unaryOf(Decoder &d) {
  return forFloat(
      d, [](auto zero) -> Handler { return unary<decltype(zero), Op>; });
}
template <typename Op> Handler binaryOf(Decoder &d) {
  return forFloat(
      d, [](auto zero) -> Handler { return binary<decltype(zero), Op>; });
}

} // namespace

Handler attn::ptx::decodeFloat(Decoder &d) {
  const std::string &name = d.name();
  unsigned bytes = bytesOf(d.type());
  bool floating = d.type()[0] == 'f' || d.type().rfind("bf", 0) == 0;
  using Choice = Handler (*)(Decoder &);
  static const std::map<std::string, Choice> choices = {
      {"add", binaryOf<Add>},
      {"sub", binaryOf<Sub>},
      {"mul", binaryOf<Mul>},
      {"div", binaryOf<Div>},
      {"min", binaryOf<Min>},
      {"max", binaryOf<Max>},
      {"copysign", binaryOf<CopySign>},
      {"neg", unaryOf<Neg>},
      {"abs", unaryOf<Abs>},
      {"ex2", unaryOf<Exp2>},
      {"lg2", unaryOf<Log2>},
      {"rcp", unaryOf<Reciprocal>},
      {"sqrt", unaryOf<Sqrt>},
      {"rsqrt", unaryOf<RSqrt>},
      {"sin", unaryOf<Sin>},
      {"cos", unaryOf<Cos>},
      {"tanh", unaryOf<Tanh>}};
  Handler handler = nullptr;
  if (!floating || bytes == 0)
    return nullptr;
  if (name == "testp")
    return decodeClass(d);
  if (name == "fma" && d.type() == "bf16x2")
    handler = fmaPair<BFloat16>;
  else if (name == "fma" && d.type() == "f16x2")
    handler = fmaPair<Float16>;
  else if (name == "fma" || (name == "mad" && d.has("rn")))
    handler =
        forFloat(d, [](auto zero) -> Handler { return fma<decltype(zero)>; });
  else if (d.has("NaN"))
    handler = name == "max"   ? binaryOf<WithNaN<Max>>(d)
              : name == "min" ? binaryOf<WithNaN<Min>>(d)
                              : nullptr;
  else if (auto found = choices.find(name); found != choices.end())
    handler = found->second(d);
  if (handler)
    for (size_t i = 0; i < d.arguments(); ++i)
      d.value(i, bytes);
  return handler;
}
