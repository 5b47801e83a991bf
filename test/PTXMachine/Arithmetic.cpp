// Integers, bits, comparisons and choices.
#include "Decoder.h"
#include "Numbers.h"

#include <limits>
#include <type_traits>

using namespace attn::ptx;

namespace {

template <typename T> using Unsigned = std::make_unsigned_t<T>;

/// Twice as wide, of the same sign.
template <typename T>
using Wide = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<
        sizeof(T) == 4,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

// What each operation is, on one lane. Signed sums wrap.
struct Add {
  template <typename T> static T of(T a, T b) {
    return T(Unsigned<T>(a) + Unsigned<T>(b));
  }
};
struct Sub {
  template <typename T> static T of(T a, T b) {
    return T(Unsigned<T>(a) - Unsigned<T>(b));
  }
};
struct MulLo {
  template <typename T> static T of(T a, T b) {
    return T(uint64_t(a) * uint64_t(b));
  }
};
struct MulHi {
  template <typename T> static T of(T a, T b) {
    return T((Wide<T>(a) * Wide<T>(b)) >> (8 * sizeof(T)));
  }
};
struct Div { // by zero: unspecified, all ones on the GPUs seen
  template <typename T> static T of(T a, T b) {
    if (b == 0)
      return T(-1);
    if (std::is_signed_v<T> && b == T(-1))
      return Sub::of(T(0), a);
    return T(a / b);
  }
};
struct Rem {
  template <typename T> static T of(T a, T b) {
    if (b == 0)
      return a;
    if (std::is_signed_v<T> && b == T(-1))
      return 0;
    return T(a % b);
  }
};
struct Min {
  template <typename T> static T of(T a, T b) { return a < b ? a : b; }
};
struct Max {
  template <typename T> static T of(T a, T b) { return a < b ? b : a; }
};
struct And {
  template <typename T> static T of(T a, T b) { return a & b; }
};
struct Or {
  template <typename T> static T of(T a, T b) { return a | b; }
};
struct Xor {
  template <typename T> static T of(T a, T b) { return a ^ b; }
};
struct Shl {
  template <typename T> static T of(T a, uint32_t b) {
    return b >= 8 * sizeof(T) ? T(0) : T(Unsigned<T>(a) << b);
  }
};
struct Shr {
  template <typename T> static T of(T a, uint32_t b) {
    constexpr uint32_t bits = 8 * sizeof(T);
    return b >= bits ? T(a < 0 ? -1 : 0) : T(a >> b);
  }
};
struct Not {
  template <typename T> static T of(T a) { return T(~a); }
};
struct Neg {
  template <typename T> static T of(T a) { return Sub::of(T(0), a); }
};
struct Abs {
  template <typename T> static T of(T a) { return a < 0 ? Neg::of(a) : a; }
};

template <typename T, typename Op>
void unary(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  forLanes(mask, [=](int l) { d[l] = Op::template of<T>(a[l]); });
}

template <typename T, typename Op>
void binary(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  forLanes(mask, [=](int l) { d[l] = Op::template of<T>(a[l], b[l]); });
}

template <typename T, typename Op>
void shift(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  const uint32_t *b = w.lanes<uint32_t>(i.operands[2]);
  forLanes(mask, [=](int l) { d[l] = Op::template of<T>(a[l], b[l]); });
}

template <typename T> void mulWide(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<Wide<T>>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  forLanes(mask, [=](int l) { d[l] = Wide<T>(a[l]) * Wide<T>(b[l]); });
}

template <typename T> void madWide(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<Wide<T>>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  const auto *c = w.lanes<Wide<T>>(i.operands[3]);
  forLanes(mask, [=](int l) {
    d[l] = Wide<T>(uint64_t(Wide<T>(a[l]) * Wide<T>(b[l])) + uint64_t(c[l]));
  });
}

template <typename T, typename Op>
void mad(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]),
          *c = w.lanes<T>(i.operands[3]);
  forLanes(mask, [=](int l) {
    d[l] = Add::of<T>(Op::template of<T>(a[l], b[l]), c[l]);
  });
}

template <typename T>
void extractBits(Warp &w, const Instruction &i, Mask mask) {
  constexpr uint32_t bits = 8 * sizeof(T);
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  const uint32_t *from = w.lanes<uint32_t>(i.operands[2]),
                 *count = w.lanes<uint32_t>(i.operands[3]);
  forLanes(mask, [=](int l) {
    uint32_t start = from[l] & 0xff, length = count[l] & 0xff;
    T shifted = Shr::of<T>(a[l], start);
    uint32_t drop = length >= bits ? 0 : bits - length;
    d[l] = length ? T(T(Unsigned<T>(shifted) << drop) >> drop) : T(0);
  });
}

template <typename T>
void insertBits(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  const uint32_t *from = w.lanes<uint32_t>(i.operands[3]),
                 *count = w.lanes<uint32_t>(i.operands[4]);
  forLanes(mask, [=](int l) {
    T field =
        Shl::of<T>(Not::of(Shl::of<T>(T(-1), count[l] & 0xff)), from[l] & 0xff);
    d[l] = T((Shl::of<T>(a[l], from[l] & 0xff) & field) | (b[l] & ~field));
  });
}

template <typename T, bool kCount>
void countBits(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  forLanes(mask, [=](int l) {
    uint64_t v = a[l];
    d[l] = kCount ? uint32_t(__builtin_popcountll(v))
           : v    ? uint32_t(__builtin_clzll(v)) - (64 - 8 * sizeof(T))
                  : uint32_t(8 * sizeof(T));
  });
}

template <typename T>
void reverseBits(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  forLanes(mask, [=](int l) {
    T r = 0;
    for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit)
      r = T(r << 1 | (a[l] >> bit & 1));
    d[l] = r;
  });
}

template <typename T>
void findHighest(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]);
  forLanes(mask, [=](int l) {
    uint64_t v = a[l];
    d[l] = v ? uint32_t(63 - __builtin_clzll(v)) : ~0u;
  });
}

void logic3(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const auto *a = w.lanes<uint32_t>(i.operands[1]),
             *b = w.lanes<uint32_t>(i.operands[2]),
             *c = w.lanes<uint32_t>(i.operands[3]);
  int64_t table = i.values[0];
  forLanes(mask, [=](int l) {
    uint32_t r = 0;
    for (int k = 0; k < 8; ++k)
      if (table >> k & 1)
        r |= (k & 4 ? a[l] : ~a[l]) & (k & 2 ? b[l] : ~b[l]) &
             (k & 1 ? c[l] : ~c[l]);
    d[l] = r;
  });
}

/// prmt: each nibble of the selector chooses a byte of {b, a}.
void permuteBytes(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const auto *a = w.lanes<uint32_t>(i.operands[1]),
             *b = w.lanes<uint32_t>(i.operands[2]),
             *c = w.lanes<uint32_t>(i.operands[3]);
  forLanes(mask, [=](int l) {
    uint64_t both = uint64_t(b[l]) << 32 | a[l];
    uint32_t r = 0;
    for (int k = 0; k < 4; ++k) {
      uint32_t nibble = c[l] >> (4 * k) & 15;
      uint32_t byte = uint32_t(both >> (8 * (nibble & 7))) & 0xff;
      if (nibble & 8)
        byte = byte & 0x80 ? 0xff : 0;
      r |= byte << (8 * k);
    }
    d[l] = r;
  });
}

/// shf: the upper or lower word of {b, a} shifted; values: right, clamp.
void funnel(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const auto *a = w.lanes<uint32_t>(i.operands[1]),
             *b = w.lanes<uint32_t>(i.operands[2]),
             *c = w.lanes<uint32_t>(i.operands[3]);
  bool right = i.values[0], clamp = i.values[1];
  forLanes(mask, [=](int l) {
    uint64_t both = uint64_t(b[l]) << 32 | a[l];
    uint32_t by = clamp ? std::min(c[l], 32u) : c[l] & 31;
    d[l] = right ? uint32_t(both >> by) : uint32_t(both << by >> 32);
  });
}

template <typename T> void select(Warp &w, const Instruction &i, Mask mask) {
  T *d = w.lanes<T>(i.operands[0]);
  const T *a = w.lanes<T>(i.operands[1]), *b = w.lanes<T>(i.operands[2]);
  Mask choice = w.bits(i.operands[3]);
  forLanes(mask, [=](int l) { d[l] = choice >> l & 1 ? a[l] : b[l]; });
}

void write(Warp &w, const Operand &to, Mask bits, Mask mask) {
  if (to.kind == Operand::Predicate)
    w.predicates[to.row] = (w.predicates[to.row] & ~mask) | (bits & mask);
}

template <typename Op>
void predicateOp(Warp &w, const Instruction &i, Mask mask) {
  write(w, i.operands[0],
        Op::template of<Mask>(w.bits(i.operands[1]), w.bits(i.operands[2])),
        mask);
}

void predicateMove(Warp &w, const Instruction &i, Mask mask) {
  Mask bits = w.bits(i.operands[1]);
  write(w, i.operands[0], i.values[0] ? ~bits : bits, mask);
}

enum Relation { EQ, NE, LT, LE, GT, GE, Number, NotNumber };

template <Relation kRelation, typename T> bool holds(T a, T b) {
  switch (kRelation) {
  case EQ:
    return a == b;
  case NE:
    return a < b || a > b; // false for NaN
  case LT:
    return a < b;
  case LE:
    return a <= b;
  case GT:
    return a > b;
  case GE:
    return a >= b;
  case Number:
    return a == a && b == b;
  case NotNumber:
    return a != a || b != b;
  }
}

/// values: 0 plain, 1 and, 2 or, 3 xor with operand 4; whether NaN compares as
/// true; whether subnormal numbers are zero.
template <typename T, Relation kRelation>
void compare(Warp &w, const Instruction &i, Mask mask) {
  const T *a = w.lanes<T>(i.operands[2]), *b = w.lanes<T>(i.operands[3]);
  bool unordered = i.values[1], ftz = i.values[2];
  Mask bits = 0;
  for (int l = 0; l < kLanes; ++l) {
    bool result;
    if constexpr (std::is_same_v<T, float>) {
      float x = ftz ? flush(a[l]) : a[l], y = ftz ? flush(b[l]) : b[l];
      result = holds<kRelation>(x, y) ||
               (unordered && (std::isnan(x) || std::isnan(y)));
    } else if constexpr (std::is_same_v<T, BFloat16> ||
                         std::is_same_v<T, Float16>) {
      float x = a[l], y = b[l];
      result = holds<kRelation>(x, y) ||
               (unordered && (std::isnan(x) || std::isnan(y)));
    } else {
      result = holds<kRelation>(a[l], b[l]) ||
               (unordered && (a[l] != a[l] || b[l] != b[l]));
    }
    bits |= Mask(result) << l;
  }
  Mask inverse = ~bits;
  if (i.values[0]) {
    Mask c = w.bits(i.operands[4]);
    auto meet = [&](Mask x) {
      return i.values[0] == 1 ? x & c : i.values[0] == 2 ? x | c : x ^ c;
    };
    bits = meet(bits);
    inverse = meet(inverse);
  }
  write(w, i.operands[0], bits, mask);
  write(w, i.operands[1], inverse, mask);
}

template <typename F> Handler forInteger(const std::string &type, F f) {
  if (type == "s16")
    return f(int16_t());
  if (type == "u16" || type == "b16")
    return f(uint16_t());
  if (type == "s32")
    return f(int32_t());
  if (type == "u32" || type == "b32")
    return f(uint32_t());
  if (type == "s64")
    return f(int64_t());
  if (type == "u64" || type == "b64")
    return f(uint64_t());
  return nullptr;
}

template <typename Op> Handler binaryOf(const std::string &type) {
  return forInteger(
      type, [](auto zero) -> Handler { return binary<decltype(zero), Op>; });
}
template <typename Op> Handler unaryOf(const std::string &type) {
  return forInteger(
      type, [](auto zero) -> Handler { return unary<decltype(zero), Op>; });
}
template <typename Op> Handler shiftOf(const std::string &type) {
  return forInteger(
      type, [](auto zero) -> Handler { return shift<decltype(zero), Op>; });
}

template <typename T> Handler comparison(Relation relation) {
  switch (relation) {
  case EQ:
    return compare<T, EQ>;
  case NE:
    return compare<T, NE>;
  case LT:
    return compare<T, LT>;
  case LE:
    return compare<T, LE>;
  case GT:
    return compare<T, GT>;
  case GE:
    return compare<T, GE>;
  case Number:
    return compare<T, Number>;
  case NotNumber:
    return compare<T, NotNumber>;
  }
  return nullptr;
}

Handler decodeComparison(Decoder &d) {
  static const std::map<std::string, Relation> relations = {
      {"eq", EQ},  {"ne", NE},      {"lt", LT},        {"le", LE},  {"gt", GT},
      {"ge", GE},  {"equ", EQ},     {"neu", NE},       {"ltu", LT}, {"leu", LE},
      {"gtu", GT}, {"geu", GE},     {"lo", LT},        {"ls", LE},  {"hi", GT},
      {"hs", GE},  {"num", Number}, {"nan", NotNumber}};
  std::string type = d.type();
  auto relation = relations.find(d.parts[1]);
  if (relation == relations.end())
    return nullptr;
  bool floating =
      type == "f32" || type == "f64" || type == "f16" || type == "bf16";
  unsigned bytes = bytesOf(type);
  d.pair(0, 0);
  d.value(1, bytes);
  d.value(2, bytes);
  d.instruction.values[0] = d.has("and")  ? 1
                            : d.has("or") ? 2
                                          : d.has("xor") * 3;
  if (d.instruction.values[0])
    d.predicate(3);
  d.instruction.values[1] =
      floating && d.parts[1].size() == 3 && d.parts[1].back() == 'u';
  d.instruction.values[2] = d.has("ftz");
  if (type == "f32")
    return comparison<float>(relation->second);
  if (type == "f64")
    return comparison<double>(relation->second);
  if (type == "f16")
    return comparison<Float16>(relation->second);
  if (type == "bf16")
    return comparison<BFloat16>(relation->second);
  return forInteger(type, [&](auto zero) -> Handler {
    return comparison<decltype(zero)>(relation->second);
  });
}

Handler decodePredicates(Decoder &d) {
  const std::string &name = d.name();
  d.predicate(0);
  d.predicate(1);
  if (name == "not" || name == "mov") {
    d.instruction.values[0] = name == "not";
    return predicateMove;
  }
  d.predicate(2);
  return name == "and"   ? predicateOp<And>
         : name == "or"  ? predicateOp<Or>
         : name == "xor" ? predicateOp<Xor>
                         : Handler(nullptr);
}

Handler decodeMultiplication(Decoder &d) {
  const std::string &type = d.type();
  unsigned bytes = bytesOf(type);
  bool add = d.name() == "mad", wide = d.has("wide");
  d.value(0, wide ? 2 * bytes : bytes);
  d.value(1, bytes);
  d.value(2, bytes);
  if (add)
    d.value(3, wide ? 2 * bytes : bytes);
  if (wide) {
    if (bytes == 8)
      return nullptr;
    return forInteger(type, [&](auto zero) -> Handler {
      using T = decltype(zero);
      if constexpr (sizeof(T) < 8)
        return add ? madWide<T> : mulWide<T>;
      else
        return nullptr;
    });
  }
  bool high = d.has("hi");
  return forInteger(type, [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (add)
      return high ? mad<T, MulHi> : mad<T, MulLo>;
    return high ? binary<T, MulHi> : binary<T, MulLo>;
  });
}

Handler decodeBits(Decoder &d) {
  const std::string &name = d.name(), &type = d.type();
  unsigned bytes = bytesOf(type);
  if (name == "popc" || name == "clz") {
    d.value(0, 4);
    d.value(1, bytes);
    bool count = name == "popc";
    if (bytes == 4)
      return count ? countBits<uint32_t, true> : countBits<uint32_t, false>;
    return count ? countBits<uint64_t, true> : countBits<uint64_t, false>;
  }
  if (name == "bfind") {
    d.value(0, 4);
    d.value(1, bytes);
    return type == "u32"   ? findHighest<uint32_t>
           : type == "u64" ? findHighest<uint64_t>
                           : Handler(nullptr);
  }
  if (name == "brev") {
    d.value(0, bytes);
    d.value(1, bytes);
    return bytes == 4 ? reverseBits<uint32_t> : reverseBits<uint64_t>;
  }
  if (name == "bfe" || name == "bfi") {
    bool insert = name == "bfi";
    for (size_t i = 0; i < d.arguments(); ++i)
      d.value(i, i < (insert ? 3u : 2u) ? bytes : 4);
    return forInteger(type, [&](auto zero) -> Handler {
      using T = decltype(zero);
      return insert ? insertBits<T> : extractBits<T>;
    });
  }
  for (size_t i = 0; i < 4; ++i)
    if (i < 3 || name != "lop3")
      d.value(i, 4);
  if (name == "lop3") {
    d.value(3, 4);
    d.instruction.values[0] = d.integer(4);
    return logic3;
  }
  if (name == "prmt" && type == "b32")
    return permuteBytes;
  if (name == "shf") {
    d.instruction.values[0] = d.has("r");
    d.instruction.values[1] = d.has("clamp");
    return funnel;
  }
  return nullptr;
}

} // namespace

Handler attn::ptx::decodeArithmetic(Decoder &d) {
  const std::string &name = d.name(), type = d.type();
  if (name == "setp")
    return decodeComparison(d);
  if (type == "pred" && name != "setp" && name != "vote" && name != "bar" &&
      name != "barrier")
    return decodePredicates(d);
  if (name == "selp") {
    unsigned bytes = bytesOf(type);
    for (size_t i = 0; i < 3; ++i)
      d.value(i, bytes);
    d.predicate(3);
    return bytes == 2   ? select<uint16_t>
           : bytes == 4 ? select<uint32_t>
                        : select<uint64_t>;
  }
  for (const char *bits :
       {"popc", "clz", "bfind", "brev", "bfe", "bfi", "lop3", "prmt", "shf"})
    if (name == bits)
      return decodeBits(d);
  // From here on floats are another family's.
  if (type[0] == 'f' || type.rfind("bf", 0) == 0)
    return nullptr;
  if (name == "mul" || name == "mad")
    return decodeMultiplication(d);
  unsigned bytes = bytesOf(type);
  auto take = [&](Handler handler) {
    for (size_t i = 0; i < d.arguments(); ++i)
      d.value(i, bytes);
    return handler;
  };
  if (name == "shl" || name == "shr") {
    d.value(0, bytes);
    d.value(1, bytes);
    d.value(2, 4);
    return name == "shl" ? shiftOf<Shl>(type) : shiftOf<Shr>(type);
  }
  using Choice = Handler (*)(const std::string &);
  static const std::map<std::string, Choice> choices = {
      {"add", binaryOf<Add>}, {"sub", binaryOf<Sub>}, {"div", binaryOf<Div>},
      {"rem", binaryOf<Rem>}, {"min", binaryOf<Min>}, {"max", binaryOf<Max>},
      {"and", binaryOf<And>}, {"or", binaryOf<Or>},   {"xor", binaryOf<Xor>},
      {"not", unaryOf<Not>},  {"neg", unaryOf<Neg>},  {"abs", unaryOf<Abs>}};
  auto found = choices.find(name);
  return found == choices.end() ? nullptr : take(found->second(type));
}
