// Mods as C++ lambdas: called once, with values that stand for a score and its
// position, they are recorded into the text of a mod.
//
//   Table<Float, 1> slopes("slopes");
//   Result<Mod> alibi = Mod::make(
//       [&](Score s, Index b, Index h, Index q, Index kv) {
//         return s + slopes(h) * toFloat(kv - q);
//       },
//       [&](Index b, Index h, Index q, Index kv) { return q >= kv; });
//
// Values have three types, Float (f32), Index (i32) and Bool. What would not
// mean what it says does not compile: `/` and `%` of an Index (floorDiv,
// floorMod, which round down as Python's do), `&&`, `||` and `?:` of a Bool
// (`&`, `|`, `select`), a Float where an Index is asked for. Ordinary C++
// around them runs while the mod is recorded: loops unroll, functions compose.
// What operations give is in docs/Mods.md. Messages name the line of C++.
#ifndef ATTN_API_LAMBDA_H
#define ATTN_API_LAMBDA_H

// With attn/attn.hpp, which includes this, mods and types are those of
// libattn.so.
#ifndef ATTN_ATTN_HPP
#include "attn/API/Attention.h"
#endif
#include "attn/API/Recording.h"

#include <limits>
#include <type_traits>

namespace attn {

class Float;
class Index;
class Bool;

namespace recording {
/// A value of type `T`, with the line where it became an operand.
template <typename T> struct At {
  template <typename From,
            typename = std::enable_if_t<std::is_convertible_v<From, T>>>
  At(const From &from, const char *file = __builtin_FILE(),
     int line = __builtin_LINE())
      : value(make(from, file, line)), place{file, line} {}

  T value;
  Place place;

private:
  template <typename From>
  static T make(const From &from, const char *file, int line) {
    if constexpr (std::is_arithmetic_v<From>)
      return T(from, file, line);
    else
      return T(from);
  }
};

template <typename T>
constexpr bool isInteger =
    std::is_integral_v<T> && !std::is_same_v<std::remove_cv_t<T>, bool>;

/// A value of `To` by an operation on values.
template <typename To, typename... From>
To apply(Place place, const char *prefix, const char *suffix,
         const From &...operands) {
  return To(makeOperation(prefix, {operands.value.node()...}, suffix, place));
}
} // namespace recording

/// What all values have: the node that they stand for.
class RecordedValue {
public:
  explicit RecordedValue(recording::Value value) : value(std::move(value)) {}
  const recording::Value &node() const { return value; }

private:
  recording::Value value;
};

/// An f32.
class Float : public RecordedValue {
public:
  using RecordedValue::RecordedValue;
  template <typename T,
            typename = std::enable_if_t<recording::isInteger<T> ||
                                        std::is_floating_point_v<T>>>
  Float(T value, const char *file = __builtin_FILE(),
        int line = __builtin_LINE())
      : RecordedValue(recording::makeOperation(
            "arith.constant " + recording::floatText(static_cast<float>(value)),
            {}, " : f32", {file, line})) {}
  Float(bool) = delete;
};

/// A score before or after a score program.
using Score = Float;

/// A position or another integer: an i32, which wraps.
class Index : public RecordedValue {
public:
  using RecordedValue::RecordedValue;
  template <typename T, typename = std::enable_if_t<recording::isInteger<T>>>
  Index(T value, const char *file = __builtin_FILE(),
        int line = __builtin_LINE())
      : RecordedValue(constant(value, {file, line})) {}
  Index(bool) = delete;
  Index(float) = delete;
  Index(double) = delete;

private:
  template <typename T>
  static recording::Value constant(T value, recording::Place place) {
    using Limits = std::numeric_limits<int32_t>;
    bool fits = value < 0 ? static_cast<int64_t>(value) >= Limits::min()
                          : static_cast<uint64_t>(value) <=
                                static_cast<uint64_t>(Limits::max());
    std::string text = std::to_string(value);
    if (!fits)
      return recording::makeError(
          "expects an integer that fits an i32, got " + text, place);
    return recording::makeOperation("arith.constant " + text, {}, " : i32",
                                    place);
  }
};

/// A condition. It has no value while a mod is recorded: no `if`, `&&`, `?:`.
class Bool : public RecordedValue {
public:
  using RecordedValue::RecordedValue;
  template <typename T, typename = std::enable_if_t<std::is_same_v<T, bool>>>
  Bool(T value, const char *file = __builtin_FILE(),
       int line = __builtin_LINE())
      : RecordedValue(recording::makeOperation(value ? "arith.constant true"
                                                     : "arith.constant false",
                                               {}, "", {file, line})) {}
};

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

#define ATTN_OPERATOR(To, From, symbol, prefix, suffix)                        \
  inline To operator symbol(const recording::At<From> &x,                      \
                            const recording::At<From> &y) {                    \
    return recording::apply<To>(x.place, prefix, suffix, x, y);                \
  }
ATTN_OPERATOR(Float, Float, +, "arith.addf ", " : f32")
ATTN_OPERATOR(Float, Float, -, "arith.subf ", " : f32")
ATTN_OPERATOR(Float, Float, *, "arith.mulf ", " : f32")
ATTN_OPERATOR(Float, Float, /, "arith.divf ", " : f32")
ATTN_OPERATOR(Bool, Float, <, "arith.cmpf olt, ", " : f32")
ATTN_OPERATOR(Bool, Float, <=, "arith.cmpf ole, ", " : f32")
ATTN_OPERATOR(Bool, Float, >, "arith.cmpf ogt, ", " : f32")
ATTN_OPERATOR(Bool, Float, >=, "arith.cmpf oge, ", " : f32")
ATTN_OPERATOR(Bool, Float, ==, "arith.cmpf oeq, ", " : f32")
ATTN_OPERATOR(Bool, Float, !=, "arith.cmpf une, ", " : f32")
ATTN_OPERATOR(Index, Index, +, "arith.addi ", " : i32")
ATTN_OPERATOR(Index, Index, -, "arith.subi ", " : i32")
ATTN_OPERATOR(Index, Index, *, "arith.muli ", " : i32")
ATTN_OPERATOR(Index, Index, &, "arith.andi ", " : i32")
ATTN_OPERATOR(Index, Index, |, "arith.ori ", " : i32")
ATTN_OPERATOR(Index, Index, ^, "arith.xori ", " : i32")
ATTN_OPERATOR(Index, Index, <<, "arith.shli ", " : i32")
ATTN_OPERATOR(Index, Index, >>, "arith.shrsi ", " : i32")
ATTN_OPERATOR(Bool, Index, <, "arith.cmpi slt, ", " : i32")
ATTN_OPERATOR(Bool, Index, <=, "arith.cmpi sle, ", " : i32")
ATTN_OPERATOR(Bool, Index, >, "arith.cmpi sgt, ", " : i32")
ATTN_OPERATOR(Bool, Index, >=, "arith.cmpi sge, ", " : i32")
ATTN_OPERATOR(Bool, Index, ==, "arith.cmpi eq, ", " : i32")
ATTN_OPERATOR(Bool, Index, !=, "arith.cmpi ne, ", " : i32")
ATTN_OPERATOR(Bool, Bool, &, "arith.andi ", " : i1")
ATTN_OPERATOR(Bool, Bool, |, "arith.ori ", " : i1")
ATTN_OPERATOR(Bool, Bool, ^, "arith.xori ", " : i1")
ATTN_OPERATOR(Bool, Bool, ==, "arith.cmpi eq, ", " : i1")
ATTN_OPERATOR(Bool, Bool, !=, "arith.cmpi ne, ", " : i1")
#undef ATTN_OPERATOR

inline Float operator-(const recording::At<Float> &x) {
  return recording::apply<Float>(x.place, "arith.negf ", " : f32", x);
}
inline Index operator-(const recording::At<Index> &x) {
  recording::At<Index> zero(Index(0), x.place.file, x.place.line);
  return recording::apply<Index>(x.place, "arith.subi ", " : i32", zero, x);
}
inline Bool operator!(const recording::At<Bool> &x) {
  recording::At<Bool> all(Bool(true), x.place.file, x.place.line);
  return recording::apply<Bool>(x.place, "arith.xori ", " : i1", x, all);
}

/// C++ rounds towards zero, Python down: floorDiv and floorMod say which.
Index operator/(const recording::At<Index> &,
                const recording::At<Index> &) = delete;
Index operator%(const recording::At<Index> &,
                const recording::At<Index> &) = delete;
/// C++ does not evaluate the second operand where the first decides: `&`, `|`.
Bool operator&&(const recording::At<Bool> &,
                const recording::At<Bool> &) = delete;
Bool operator||(const recording::At<Bool> &,
                const recording::At<Bool> &) = delete;

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

#define ATTN_UNARY(To, From, name, prefix, suffix)                             \
  inline To name(const recording::At<From> &x) {                               \
    return recording::apply<To>(x.place, prefix, suffix, x);                   \
  }
#define ATTN_BINARY(To, From, name, prefix, suffix)                            \
  inline To name(const recording::At<From> &x, const recording::At<From> &y) { \
    return recording::apply<To>(x.place, prefix, suffix, x, y);                \
  }
#define ATTN_SELECT(T, suffix)                                                 \
  /** Of two values the first where the condition holds. */                    \
  inline T select(const recording::At<Bool> &condition,                        \
                  const recording::At<T> &x, const recording::At<T> &y) {      \
    return recording::apply<T>(condition.place, "arith.select ", suffix,       \
                               condition, x, y);                               \
  }

#define ATTN_FUNCTION(name)                                                    \
  ATTN_UNARY(Float, Float, name, "math." #name " ", " : f32")
ATTN_FUNCTION(acos)
ATTN_FUNCTION(acosh)
ATTN_FUNCTION(asin)
ATTN_FUNCTION(asinh)
ATTN_FUNCTION(atan)
ATTN_FUNCTION(atanh)
ATTN_FUNCTION(cbrt)
ATTN_FUNCTION(ceil)
ATTN_FUNCTION(cos)
ATTN_FUNCTION(cosh)
ATTN_FUNCTION(erf)
ATTN_FUNCTION(erfc)
ATTN_FUNCTION(exp)
ATTN_FUNCTION(exp2)
ATTN_FUNCTION(expm1)
ATTN_FUNCTION(floor)
ATTN_FUNCTION(log)
ATTN_FUNCTION(log10)
ATTN_FUNCTION(log1p)
ATTN_FUNCTION(log2)
ATTN_FUNCTION(round)
ATTN_FUNCTION(roundeven)
ATTN_FUNCTION(rsqrt)
ATTN_FUNCTION(sin)
ATTN_FUNCTION(sinh)
ATTN_FUNCTION(sqrt)
ATTN_FUNCTION(tan)
ATTN_FUNCTION(tanh)
ATTN_FUNCTION(trunc)
#undef ATTN_FUNCTION
ATTN_UNARY(Float, Float, abs, "math.absf ", " : f32")
ATTN_UNARY(Bool, Float, isnan, "math.isnan ", " : f32")
ATTN_UNARY(Bool, Float, isinf, "math.isinf ", " : f32")
ATTN_UNARY(Bool, Float, isfinite, "math.isfinite ", " : f32")
ATTN_BINARY(Float, Float, atan2, "math.atan2 ", " : f32")
ATTN_BINARY(Float, Float, copysign, "math.copysign ", " : f32")
ATTN_BINARY(Float, Float, pow, "math.powf ", " : f32")
ATTN_BINARY(Float, Float, fmod, "arith.remf ", " : f32")
/// NaN where an operand is.
ATTN_BINARY(Float, Float, max, "arith.maximumf ", " : f32")
ATTN_BINARY(Float, Float, min, "arith.minimumf ", " : f32")
ATTN_SELECT(Float, " : f32")

/// x * y + z, rounded once.
inline Float fma(const recording::At<Float> &x, const recording::At<Float> &y,
                 const recording::At<Float> &z) {
  return recording::apply<Float>(x.place, "math.fma ", " : f32", x, y, z);
}

ATTN_UNARY(Index, Index, abs, "math.absi ", " : i32")
ATTN_BINARY(Index, Index, max, "arith.maxsi ", " : i32")
ATTN_BINARY(Index, Index, min, "arith.minsi ", " : i32")
ATTN_SELECT(Index, " : i32")
/// x / y rounded down, or up; 0 where y is 0.
ATTN_BINARY(Index, Index, floorDiv, "arith.floordivsi ", " : i32")
ATTN_BINARY(Index, Index, ceilDiv, "arith.ceildivsi ", " : i32")
/// x - y * floorDiv(x, y): with the sign of y, as Python's `%`; x where y is 0.
inline Index floorMod(const recording::At<Index> &x,
                      const recording::At<Index> &y) {
  recording::At<Index> whole(floorDiv(x, y), x.place.file, x.place.line);
  recording::At<Index> part(
      recording::apply<Index>(x.place, "arith.muli ", " : i32", whole, y),
      x.place.file, x.place.line);
  return recording::apply<Index>(x.place, "arith.subi ", " : i32", x, part);
}
ATTN_SELECT(Bool, " : i1")

/// The nearest f32.
ATTN_UNARY(Float, Index, toFloat, "arith.sitofp ", " : i32 to f32")
/// Rounded towards zero, the nearest i32 if it does not fit, 0 of NaN.
ATTN_UNARY(Index, Float, toIndex, "arith.fptosi ", " : f32 to i32")
/// 1 or 0.
ATTN_UNARY(Index, Bool, toIndex, "arith.extui ", " : i1 to i32")

#undef ATTN_UNARY
#undef ATTN_BINARY
#undef ATTN_SELECT

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

namespace recording {
/// What a captured element of some type becomes: an operation, "" for none.
struct Conversion {
  const char *prefix, *suffix;
};
inline const Conversion *conversionTo(const Float &, ElementType type) {
  static constexpr Conversion same{"", ""};
  static constexpr Conversion bf16{"arith.extf ", " : bf16 to f32"};
  static constexpr Conversion f16{"arith.extf ", " : f16 to f32"};
  return type == ElementType::F32    ? &same
         : type == ElementType::BF16 ? &bf16
         : type == ElementType::F16  ? &f16
                                     : nullptr;
}
inline const Conversion *conversionTo(const Index &, ElementType type) {
  static constexpr Conversion same{"", ""};
  static constexpr Conversion i64{"arith.trunci ", " : i64 to i32"};
  static constexpr Conversion i16{"arith.extsi ", " : i16 to i32"};
  static constexpr Conversion i8{"arith.extsi ", " : i8 to i32"};
  static constexpr Conversion u8{"arith.extui ", " : i8 to i32"};
  return type == ElementType::I32   ? &same
         : type == ElementType::I64 ? &i64
         : type == ElementType::I16 ? &i16
         : type == ElementType::I8  ? &i8
         : type == ElementType::U8  ? &u8
                                    : nullptr;
}
inline const Conversion *conversionTo(const Bool &, ElementType type) {
  static constexpr Conversion same{"", ""};
  return type == ElementType::Bool ? &same : nullptr;
}

/// What the elements of captures are without a type that is given.
template <typename T>
constexpr ElementType usualType =
    std::is_same_v<T, Float>   ? ElementType::F32
    : std::is_same_v<T, Index> ? ElementType::I32
                               : ElementType::Bool;

template <typename T>
std::shared_ptr<const Capture>
makeCapture(const std::string &name, ElementType type, int rank, Place place) {
  std::string element =
      type == ElementType::U8 ? "i8" : std::string(toString(type));
  Capture capture{name, element, place, ""};
  if (rank >= 0) {
    capture.type = "tensor<";
    for (int i = 0; i < rank; ++i)
      capture.type += "?x";
    capture.type += element + ">";
  }
  if (!isCaptureName(name))
    capture.error = "expects the name of a capture to be an identifier, and "
                    "not s, b, h, q or kv, got '" +
                    name + "'";
  else if (!conversionTo(T(makeError("", place)), type))
    capture.error = "expects '" + name + "' to be of elements that this " +
                    "value has, got " + toString(type);
  return std::make_shared<const Capture>(std::move(capture));
}

/// A captured element as a program sees it.
template <typename T>
Value convertElement(Value stored, ElementType type, Place place) {
  const Conversion *conversion = conversionTo(T(stored), type);
  if (!conversion || !*conversion->prefix)
    return stored;
  return makeOperation(conversion->prefix, {std::move(stored)},
                       conversion->suffix, place);
}

template <typename T, typename Dimensions> class TableOf;
template <typename T, size_t... Dimensions>
class TableOf<T, std::index_sequence<Dimensions...>> {
public:
  TableOf(const std::string &name, ElementType type, Place place)
      : type(type),
        capture(makeCapture<T>(name, type, sizeof...(Dimensions), place)) {}

  /// The element at these indices. One that is computed is clamped into the
  /// table.
  T operator()(
      std::conditional_t<true, const At<Index> &,
                         std::integral_constant<size_t, Dimensions>>... at)
      const {
    Place place = capture->place;
    ((place = at.place), ...);
    return T(convertElement<T>(makeLoad(capture, {at.value.node()...}, place),
                               type, place));
  }

private:
  ElementType type;
  std::shared_ptr<const Capture> capture;
};
} // namespace recording

/// A captured tensor of `Rank` dimensions. Its elements are Floats (of F32, F16
/// or BF16), Indices (of I32, I64, which is truncated, I16, I8 or U8) or Bools.
template <typename T, int Rank>
class Table : public recording::TableOf<T, std::make_index_sequence<Rank>> {
public:
  explicit Table(const std::string &name,
                 ElementType type = recording::usualType<T>,
                 const char *file = __builtin_FILE(),
                 int line = __builtin_LINE())
      : recording::TableOf<T, std::make_index_sequence<Rank>>(name, type,
                                                              {file, line}) {}
};

/// A captured scalar of such a type: a value of run time.
template <typename T> class Scalar : public T {
public:
  explicit Scalar(const std::string &name,
                  ElementType type = recording::usualType<T>,
                  const char *file = __builtin_FILE(),
                  int line = __builtin_LINE())
      : T(recording::convertElement<T>(
            recording::makeScalar(
                recording::makeCapture<T>(name, type, -1, {file, line})),
            type, {file, line})) {}
};

//===----------------------------------------------------------------------===//
// Mods
//===----------------------------------------------------------------------===//

namespace recording {
template <typename Program>
constexpr bool isScore =
    std::is_invocable_r_v<Float, Program, Score, Index, Index, Index, Index>;
template <typename Program>
constexpr bool isMask =
    std::is_invocable_r_v<Bool, Program, Index, Index, Index, Index>;

template <typename Program>
void record(Writer &writer, const Program &program, Place place) {
  static_assert(
      isScore<Program> || isMask<Program>,
      "expects a score program, Score(Score s, Index b, Index h, Index q, "
      "Index kv), or a mask program, Bool(Index b, Index h, Index q, Index "
      "kv)");
  std::shared_ptr<const void> self = std::make_shared<char>();
  auto position = [&](const char *name) {
    return Index(makeArgument(name, self, place));
  };
  Index b = position("b"), h = position("h"), q = position("q"),
        kv = position("kv");
  if constexpr (isScore<Program>) {
    Float result = program(Float(makeArgument("s", self, place)), b, h, q, kv);
    writer.addProgram("score", "%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32",
                      self, result.node(), "f32", place);
  } else if constexpr (isMask<Program>) {
    Bool result = program(b, h, q, kv);
    writer.addProgram("mask", "%b: i32, %h: i32, %q: i32, %kv: i32", self,
                      result.node(), "i1", place);
  }
}
} // namespace recording

/// The text of the mod of a score program, for Mod::fromSource or a file.
/// Captures are in the order in which the programs read them. Errors: what is
/// wrong with a capture or a constant, with its line.
template <typename Program>
Result<std::string>
modText(const Program &program, const std::string &name = "lambda",
        const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  recording::Writer writer;
  recording::record(writer, program, {file, line});
  return writer.finish(name, {file, line});
}

/// The same of a score program and a mask program.
template <typename ScoreProgram, typename MaskProgram,
          typename = std::enable_if_t<
              !std::is_convertible_v<MaskProgram, std::string>>>
Result<std::string> modText(const ScoreProgram &score, const MaskProgram &mask,
                            const std::string &name = "lambda",
                            const char *file = __builtin_FILE(),
                            int line = __builtin_LINE()) {
  static_assert(recording::isScore<ScoreProgram> &&
                    recording::isMask<MaskProgram>,
                "expects a score program, then a mask program");
  recording::Writer writer;
  recording::record(writer, score, {file, line});
  recording::record(writer, mask, {file, line});
  return writer.finish(name, {file, line});
}

template <typename Program>
Result<Mod> Mod::make(const Program &program, const char *file, int line) {
  Result<std::string> text = modText(program, "lambda", file, line);
  return text ? fromSource(*text, "lambda") : Error{text.error()};
}

template <typename ScoreProgram, typename MaskProgram, typename>
Result<Mod> Mod::make(const ScoreProgram &score, const MaskProgram &mask,
                      const char *file, int line) {
  Result<std::string> text = modText(score, mask, "lambda", file, line);
  return text ? fromSource(*text, "lambda") : Error{text.error()};
}

} // namespace attn

#endif // ATTN_API_LAMBDA_H
