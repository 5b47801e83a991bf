// Loads, stores and atomic operations.
#include "Decoder.h"

#include <algorithm>
#include <cstring>

using namespace attn::ptx;

namespace {

enum Space { Global, Shared };

/// values: space, bytes of an element, whether it is signed.
char *at(Warp &w, const Instruction &i, const Operand &address, int lane,
         unsigned bytes) {
  uint64_t a = addressOf(w, address, lane);
  if (a % bytes)
    throw Fault("address " + std::to_string(a) + " is not a multiple of " +
                std::to_string(bytes));
  return i.values[0] == Shared ? w.block.sharedAt(a, bytes)
                               : w.block.globalAt(a, bytes);
}

void load(Warp &w, const Instruction &i, Mask mask) {
  const std::vector<Operand> &to = i.operands[0].parts;
  auto bytes = unsigned(i.values[1]);
  forLanes(mask, [&](int l) {
    const char *from = at(w, i, i.operands[1], l, bytes * unsigned(to.size()));
    for (const Operand &part : to) {
      int64_t value = 0;
      std::memcpy(&value, from, bytes);
      if (i.values[2]) {
        unsigned shift = 64 - 8 * bytes;
        value = int64_t(uint64_t(value) << shift) >> shift;
      }
      std::memcpy(w.row(part.row) + l * part.bytes, &value, part.bytes);
      from += bytes;
    }
  });
}

void store(Warp &w, const Instruction &i, Mask mask) {
  const std::vector<Operand> &from = i.operands[1].parts;
  auto bytes = unsigned(i.values[1]);
  forLanes(mask, [&](int l) {
    char *to = at(w, i, i.operands[0], l, bytes * unsigned(from.size()));
    for (const Operand &part : from) {
      std::memcpy(to, w.row(part.row) + l * part.bytes, bytes);
      to += bytes;
    }
  });
}

enum Update {
  AddUp,
  Increment,
  Minimum,
  Maximum,
  AllBits,
  AnyBits,
  Swap,
  CompareSwap
};

/// values[3] is the update. The old value goes to operand 0, if there is one.
template <typename T> void atomic(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    char *place = at(w, i, i.operands[1], l, sizeof(T));
    T old, b = w.lanes<T>(i.operands[2])[l];
    std::memcpy(&old, place, sizeof(T));
    T next = b;
    switch (i.values[3]) {
    case AddUp:
      next = T(uint64_t(old) + uint64_t(b));
      break;
    case Increment: // back to zero behind b
      next = old >= b ? T(0) : T(old + 1);
      break;
    case Minimum:
      next = std::min(old, b);
      break;
    case Maximum:
      next = std::max(old, b);
      break;
    case AllBits:
      next = old & b;
      break;
    case AnyBits:
      next = old | b;
      break;
    case CompareSwap:
      next = old == b ? w.lanes<T>(i.operands[3])[l] : old;
      break;
    }
    std::memcpy(place, &next, sizeof(T));
    if (i.operands[0].kind == Operand::Row)
      w.lanes<T>(i.operands[0])[l] = old;
  });
}

/// Whether the memory is one that the machine has; sets values[0].
bool spaceOf(Decoder &d) {
  if (d.has("local") || d.has("const"))
    return false;
  bool shared =
      std::any_of(d.parts.begin(), d.parts.end(), [](const std::string &part) {
        return part.rfind("shared", 0) == 0;
      });
  d.instruction.values[0] = shared ? Shared : Global;
  return true;
}

Handler decodeAtomic(Decoder &d) {
  static const std::map<std::string, Update> updates = {
      {"add", AddUp},   {"inc", Increment},  {"min", Minimum},
      {"max", Maximum}, {"and", AllBits},    {"or", AnyBits},
      {"exch", Swap},   {"cas", CompareSwap}};
  bool result = d.name() == "atom";
  auto update = updates.end();
  for (const std::string &part : d.parts)
    if (update == updates.end())
      update = updates.find(part);
  if (update == updates.end() || !spaceOf(d))
    return nullptr;
  d.instruction.values[3] = update->second;
  unsigned bytes = bytesOf(d.type());
  size_t next = 0;
  if (result)
    d.value(next++, bytes);
  else
    d.instruction.operands.emplace_back();
  d.address(next++);
  d.value(next++, bytes);
  if (update->second == CompareSwap)
    d.value(next, bytes);
  const std::string &type = d.type();
  return type == "s32"                    ? atomic<int32_t>
         : type == "u32" || type == "b32" ? atomic<uint32_t>
         : type == "s64"                  ? atomic<int64_t>
         : type == "u64" || type == "b64" ? atomic<uint64_t>
                                          : Handler(nullptr);
}

} // namespace

Handler attn::ptx::decodeMemory(Decoder &d) {
  const std::string &name = d.name();
  if (name == "atom" || name == "red")
    return decodeAtomic(d);
  if ((name != "ld" && name != "st") || !spaceOf(d))
    return nullptr;
  d.instruction.values[1] = bytesOf(d.type());
  d.instruction.values[2] = d.type()[0] == 's';
  if (name == "ld") {
    d.vector(0, 0);
    d.address(1);
    return load;
  }
  d.address(0);
  d.vector(1, d.argument(1).kind == Argument::Integer ? bytesOf(d.type()) : 0);
  return store;
}
