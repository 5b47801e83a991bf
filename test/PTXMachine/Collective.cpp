// What lanes and warps do together: shuffles, votes, reductions, barriers.
#include "Decoder.h"

#include <algorithm>

using namespace attn::ptx;

namespace {

enum Way { Up, Down, Butterfly, Index };

/// PTX ISA, "shfl.sync": the source lane, kept within segments by c.
void shuffle(Warp &w, const Instruction &i, Mask mask) {
  uint32_t result[kLanes];
  const auto *a = w.lanes<uint32_t>(i.operands[2]),
             *b = w.lanes<uint32_t>(i.operands[3]),
             *c = w.lanes<uint32_t>(i.operands[4]);
  Mask inside = 0;
  for (int l = 0; l < kLanes; ++l) {
    int by = int(b[l] & 31), limit = int(c[l] & 31),
        segment = int(c[l] >> 8 & 31);
    int last = (l & segment) | (limit & ~segment), from = l;
    bool valid = true;
    switch (i.values[0]) {
    case Up:
      from = l - by;
      valid = from >= last;
      break;
    case Down:
      from = l + by;
      valid = from <= last;
      break;
    case Butterfly:
      from = l ^ by;
      valid = from <= last;
      break;
    case Index:
      from = (l & segment) | (by & ~segment);
      valid = from <= last;
      break;
    }
    if (valid && !(mask >> from & 1) && (mask >> l & 1))
      throw Fault("lane " + std::to_string(l) + " reads from lane " +
                  std::to_string(from) + ", which does not take part");
    result[l] = a[valid ? from : l];
    inside |= Mask(valid) << l;
  }
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  forLanes(mask, [&](int l) { d[l] = result[l]; });
  if (i.operands[1].kind == Operand::Predicate) {
    Mask &p = w.predicates[i.operands[1].row];
    p = (p & ~mask) | (inside & mask);
  }
}

enum Question { All, Any, Uniform, Ballot };

void vote(Warp &w, const Instruction &i, Mask mask) {
  Mask bits = w.bits(i.operands[1]) & mask;
  if (i.values[0] == Ballot) {
    auto *d = w.lanes<uint32_t>(i.operands[0]);
    forLanes(mask, [=](int l) { d[l] = bits; });
    return;
  }
  bool result = i.values[0] == All   ? bits == mask
                : i.values[0] == Any ? bits != 0
                                     : bits == 0 || bits == mask;
  Mask &p = w.predicates[i.operands[0].row];
  p = result ? p | mask : p & ~mask;
}

/// Which lanes have the same value.
template <typename T> void matchAny(Warp &w, const Instruction &i, Mask mask) {
  const T *a = w.lanes<T>(i.operands[1]);
  uint32_t result[kLanes] = {};
  forLanes(mask, [&](int l) {
    forLanes(mask, [&](int other) {
      result[l] |= uint32_t(a[l] == a[other]) << other;
    });
  });
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  forLanes(mask, [&](int l) { d[l] = result[l]; });
}

void activeMask(Warp &w, const Instruction &i, Mask mask) {
  auto *d = w.lanes<uint32_t>(i.operands[0]);
  forLanes(mask, [=](int l) { d[l] = mask; });
}

struct Sum {
  template <typename T> static T of(T a, T b) {
    return T(uint64_t(a) + uint64_t(b));
  }
};
struct Least {
  template <typename T> static T of(T a, T b) { return std::min(a, b); }
};
struct Most {
  template <typename T> static T of(T a, T b) { return std::max(a, b); }
};
struct BitAnd {
  template <typename T> static T of(T a, T b) { return a & b; }
};
struct BitOr {
  template <typename T> static T of(T a, T b) { return a | b; }
};
struct BitXor {
  template <typename T> static T of(T a, T b) { return a ^ b; }
};

template <typename T, typename Op>
void reduce(Warp &w, const Instruction &i, Mask mask) {
  const T *a = w.lanes<T>(i.operands[1]);
  bool first = true;
  T all = 0;
  forLanes(mask, [&](int l) {
    all = first ? a[l] : Op::template of<T>(all, a[l]);
    first = false;
  });
  T *d = w.lanes<T>(i.operands[0]);
  forLanes(mask, [=](int l) { d[l] = all; });
}

void elect(Warp &w, const Instruction &i, Mask mask) {
  int leader = __builtin_ctz(mask);
  if (i.operands[0].kind == Operand::Row) {
    auto *d = w.lanes<uint32_t>(i.operands[0]);
    forLanes(mask, [=](int l) { d[l] = uint32_t(leader); });
  }
  Mask &p = w.predicates[i.operands[1].row];
  p = (p & ~mask) | (Mask(1) << leader);
}

/// A number that must be the same in all lanes.
unsigned uniform(Warp &w, const Operand &operand, Mask mask) {
  const auto *a = w.lanes<uint32_t>(operand);
  uint32_t value = a[__builtin_ctz(mask)];
  forLanes(mask, [&](int l) {
    if (a[l] != value)
      throw Fault("lanes differ where one number is expected");
  });
  return value;
}

/// values: 0 no reduction, 1 or, 2 and; whether it waits. Operands: the result
/// (None), barrier, threads (None: the block's), predicate (None).
void barrier(Warp &w, const Instruction &i, Mask mask) {
  unsigned number = uniform(w, i.operands[1], mask);
  unsigned threads = 0;
  if (i.operands[2].kind == Operand::Row) {
    threads = uniform(w, i.operands[2], mask);
  } else {
    for (const std::unique_ptr<Warp> &other : w.block.warps)
      threads += other->live() ? kLanes : 0;
  }
  if (number >= 16)
    throw Fault("there is no barrier " + std::to_string(number));
  if (i.values[0]) {
    Mask bits = w.bits(i.operands[3]) & mask;
    NamedBarrier &state = w.block.barriers[number];
    state.any |= bits != 0;
    state.all &= bits == mask;
  }
  w.block.joinBarrier(w, int(number), threads, i.values[1]);
}

void warpBarrier(Warp &, const Instruction &, Mask) {}

Handler decodeBarrier(Decoder &d) {
  if (d.has("warp")) {
    d.collective(0);
    return warpBarrier;
  }
  d.collective();
  size_t next = 0;
  bool reduces = d.has("red");
  auto &values = d.instruction.values;
  values[0] = !reduces ? 0 : d.has("or") ? 1 : 2;
  values[1] = !d.has("arrive");
  if (reduces) {
    if (d.has("popc"))
      return nullptr;
    d.predicate(next++);
  } else {
    d.instruction.operands.emplace_back();
  }
  d.value(next++, 4);
  size_t left = d.arguments() - next;
  if (left > (reduces ? 1u : 0u))
    d.value(next++, 4);
  else
    d.instruction.operands.emplace_back();
  if (reduces)
    d.predicate(next);
  return barrier;
}

template <typename T> Handler reductionOf(Decoder &d) {
  return d.has("add")   ? reduce<T, Sum>
         : d.has("min") ? reduce<T, Least>
         : d.has("max") ? reduce<T, Most>
         : d.has("and") ? reduce<T, BitAnd>
         : d.has("or")  ? reduce<T, BitOr>
                        : reduce<T, BitXor>;
}

} // namespace

Handler attn::ptx::decodeCollective(Decoder &d) {
  const std::string &name = d.name();
  if (name == "shfl") {
    d.pair(0, 4);
    for (size_t i = 1; i < 4; ++i)
      d.value(i, 4);
    d.collective(4);
    d.instruction.values[0] = d.has("up")     ? Up
                              : d.has("down") ? Down
                              : d.has("bfly") ? Butterfly
                                              : Index;
    return shuffle;
  }
  if (name == "vote") {
    bool ballot = d.has("ballot");
    if (ballot)
      d.value(0, 4);
    else
      d.predicate(0);
    d.predicate(1);
    d.collective(2);
    d.instruction.values[0] = ballot         ? Ballot
                              : d.has("all") ? All
                              : d.has("any") ? Any
                                             : Uniform;
    return vote;
  }
  if (name == "match" && d.has("any")) {
    bool isWide = d.type() == "b64";
    d.value(0, 4);
    d.value(1, isWide ? 8 : 4);
    d.collective(2);
    return isWide ? matchAny<uint64_t> : matchAny<uint32_t>;
  }
  if (name == "activemask") {
    d.value(0, 4);
    return activeMask;
  }
  if (name == "redux") {
    d.value(0, 4);
    d.value(1, 4);
    d.collective(2);
    return d.type() == "s32" ? reductionOf<int32_t>(d)
                             : reductionOf<uint32_t>(d);
  }
  if (name == "elect") {
    d.pair(0, 4);
    d.collective(1);
    return elect;
  }
  if (name == "bar" || name == "barrier")
    return decodeBarrier(d);
  return nullptr;
}
