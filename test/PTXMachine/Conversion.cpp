// cvt, mov and the packing of registers.
#include "Decoder.h"
#include "Numbers.h"

#include <algorithm>
#include <limits>
#include <type_traits>

using namespace attn::ptx;

namespace {

enum Rounding { Nearest, Zero, Down, Up };

double rounded(double x, int64_t how) {
  return how == Zero   ? std::trunc(x)
         : how == Down ? std::floor(x)
         : how == Up   ? std::ceil(x)
                       : std::nearbyint(x);
}

template <typename T> constexpr bool isFloat = !std::is_integral_v<T>;

/// values: rounding, whether to flush, whether to an integral value, saturate.
template <typename To, typename From>
To converted(From from, const Instruction &i) {
  if constexpr (!isFloat<From> && !isFloat<To>) {
    if (i.values[3]) {
      using Limits = std::numeric_limits<To>;
      __int128 x = from;
      return To(std::clamp<__int128>(x, Limits::min(), Limits::max()));
    }
    return To(from);
  } else if constexpr (!isFloat<From>) { // to a float
    if constexpr (std::is_same_v<To, float> || std::is_same_v<To, double>)
      return To(from);
    else
      return To::round(float(from));
  } else {
    double x;
    if constexpr (std::is_same_v<From, double>)
      x = from;
    else
      x = i.values[1] ? flush(float(from)) : float(from);
    if constexpr (!isFloat<To>) { // to an integer: saturates
      using Limits = std::numeric_limits<To>;
      x = rounded(x, i.values[0]);
      if (std::isnan(x)) // zero, or of 64 bits the highest one
        return std::is_same_v<From, double> || sizeof(To) == 8
                   ? To(uint64_t(1) << (8 * sizeof(To) - 1))
                   : To(0);
      if (x <= double(Limits::min()))
        return Limits::min();
      if (x >= double(Limits::max()))
        return Limits::max();
      return To(x);
    } else {
      if (i.values[2])
        x = rounded(x, i.values[0]);
      if (i.values[3]) // .sat
        x = std::isnan(x) ? 0 : std::clamp(x, 0.0, 1.0);
      if constexpr (std::is_same_v<To, double>) {
        return x;
      } else if constexpr (std::is_same_v<To, float>) {
        float y = float(x);
        return i.values[1] ? flush(y) : y;
      } else {
        return To::round(float(x));
      }
    }
  }
}

template <typename To, typename From>
void convert(Warp &w, const Instruction &i, Mask mask) {
  // The source is the low part of its register, and the destination may be
  // wider than its type: extended by its sign.
  const char *a = w.row(i.operands[1].row);
  char *d = w.row(i.operands[0].row);
  unsigned step = i.operands[1].bytes, bytes = i.operands[0].bytes;
  if (step == sizeof(From) && bytes == sizeof(To)) {
    const From *from = w.lanes<From>(i.operands[1]);
    To *to = w.lanes<To>(i.operands[0]);
    forLanes(mask, [&](int l) { to[l] = converted<To, From>(from[l], i); });
    return;
  }
  forLanes(mask, [&](int l) {
    From from;
    std::memcpy(&from, a + l * step, sizeof from);
    To to = converted<To, From>(from, i);
    if constexpr (std::is_integral_v<To>) {
      auto value = int64_t(to);
      std::memcpy(d + l * bytes, &value, bytes);
    } else {
      std::memcpy(d + l * bytes, &to, sizeof to);
    }
  });
}

/// Two floats to one register of two halves: the first is the upper one.
template <typename Half> void pack(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const float *a = w.lanes<float>(i.operands[1]),
              *b = w.lanes<float>(i.operands[2]);
  forLanes(mask, [=](int l) {
    d[l] = uint32_t(Half::round(a[l]).bits) << 16 | Half::round(b[l]).bits;
  });
}

/// To the 10 bits of fraction that the matrix unit reads, half away from zero.
void toTF32(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  const auto *a = w.lanes<uint32_t>(i.operands[1]);
  forLanes(mask, [=](int l) { d[l] = (a[l] + 0x1000) & ~0x1fffu; });
}

template <typename F> Handler forType(const std::string &type, F f) {
  if (type == "s8")
    return f(int8_t());
  if (type == "u8")
    return f(uint8_t());
  if (type == "s16")
    return f(int16_t());
  if (type == "u16")
    return f(uint16_t());
  if (type == "s32")
    return f(int32_t());
  if (type == "u32")
    return f(uint32_t());
  if (type == "s64")
    return f(int64_t());
  if (type == "u64")
    return f(uint64_t());
  if (type == "f16")
    return f(Float16());
  if (type == "bf16")
    return f(BFloat16());
  if (type == "f32")
    return f(float());
  if (type == "f64")
    return f(double());
  return nullptr;
}

Handler decodeCvt(Decoder &d) {
  const std::string &from = d.parts.back(), &to = d.parts[d.parts.size() - 2];
  if (to == "bf16x2" || to == "f16x2") {
    for (size_t i = 0; i < 3; ++i)
      d.value(i, 4);
    return to == "bf16x2" ? pack<BFloat16> : pack<Float16>;
  }
  if (to == "tf32") {
    d.value(0, 4);
    d.value(1, 4);
    return d.has("rna") ? toTF32 : nullptr;
  }
  d.any(0);
  // 8 bits live in registers of 16.
  d.any(1);
  unsigned bytes = bytesOf(from);
  Operand &source = d.instruction.operands[1];
  if (source.kind != Operand::Row ||
      d.instruction.operands[0].kind != Operand::Row)
    return nullptr;
  auto &values = d.instruction.values;
  bool integral = d.has("rni") || d.has("rzi") || d.has("rmi") || d.has("rpi");
  values[0] = d.has("rz") || d.has("rzi")   ? Zero
              : d.has("rm") || d.has("rmi") ? Down
              : d.has("rp") || d.has("rpi") ? Up
                                            : Nearest;
  values[1] = d.has("ftz");
  values[2] = integral;
  values[3] = d.has("sat");
  // The low part of a wider register.
  if (source.bytes < bytes)
    return nullptr;
  return forType(to, [&](auto toZero) -> Handler {
    return forType(from, [&](auto fromZero) -> Handler {
      return convert<decltype(toZero), decltype(fromZero)>;
    });
  });
}

void copyRow(Warp &w, const Instruction &i, Mask mask) {
  unsigned bytes = i.operands[0].bytes;
  char *d = w.row(i.operands[0].row);
  const char *a = w.row(i.operands[1].row);
  if (mask == ~Mask(0)) {
    std::memmove(d, a, bytes * kLanes);
    return;
  }
  forLanes(mask,
           [=](int l) { std::memcpy(d + l * bytes, a + l * bytes, bytes); });
}

/// mov.b32 d, {a, b}: the first is the lowest.
void packRow(Warp &w, const Instruction &i, Mask mask) {
  const Operand &d = i.operands[0];
  forLanes(mask, [&](int l) {
    unsigned at = 0;
    for (const Operand &part : i.operands[1].parts) {
      std::memcpy(w.row(d.row) + l * d.bytes + at,
                  w.row(part.row) + l * part.bytes, part.bytes);
      at += part.bytes;
    }
  });
}

void unpackRow(Warp &w, const Instruction &i, Mask mask) {
  const Operand &a = i.operands[1];
  forLanes(mask, [&](int l) {
    unsigned at = 0;
    for (const Operand &part : i.operands[0].parts) {
      if (part.kind == Operand::Row)
        std::memcpy(w.row(part.row) + l * part.bytes,
                    w.row(a.row) + l * a.bytes + at, part.bytes);
      at += a.bytes / unsigned(i.operands[0].parts.size());
    }
  });
}

void addressOfParameter(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint64_t>(i.operands[0]);
  forLanes(mask, [&](int l) { d[l] = addressOf(w, i.operands[1], l); });
}

Handler decodeMove(Decoder &d) {
  unsigned bytes = bytesOf(d.type());
  if (d.argument(1).kind == Argument::Vector) {
    d.value(0, bytes);
    d.vector(1, bytes / unsigned(d.argument(1).parts.size()));
    return packRow;
  }
  if (d.argument(0).kind == Argument::Vector) {
    unsigned part = bytes / unsigned(d.argument(0).parts.size());
    d.vector(0, part);
    d.value(1, bytes);
    return unpackRow;
  }
  d.value(0, bytes);
  d.any(1);
  Operand &from = d.instruction.operands[1];
  if (from.kind == Operand::Address && bytes == 8)
    return addressOfParameter;
  if (from.kind == Operand::Row && from.bytes == bytes)
    return copyRow;
  d.instruction.operands.pop_back();
  d.value(1, bytes); // an immediate or the address of a variable
  return copyRow;
}

} // namespace

Handler attn::ptx::decodeConversion(Decoder &d) {
  if (d.name() == "cvt")
    return decodeCvt(d);
  if (d.name() == "mov")
    return decodeMove(d);
  // Generic addresses are addresses of global memory here.
  if (d.name() == "cvta" && !d.has("shared")) {
    d.value(0, 8);
    d.value(1, 8);
    return copyRow;
  }
  return nullptr;
}
