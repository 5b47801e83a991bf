// The copy engines: cp.async, bulk tensor copies, and the barriers that count
// their bytes.
#include "Decoder.h"
#include "TensorMap.h"

#include <algorithm>
#include <cstring>

using namespace attn::ptx;

namespace {

//===----------------------------------------------------------------------===//
// Groups of work that a lane starts and awaits
//===----------------------------------------------------------------------===//

void finish(Warp::Work &work) {
  for (std::function<void()> &step : work)
    step();
  work.clear();
}

void add(Warp &w, std::deque<Warp::Work> &groups, std::function<void()> step) {
  if (groups.empty())
    groups.emplace_back();
  if (w.block.late())
    groups.back().push_back(std::move(step));
  else
    step();
}

void commit(std::deque<Warp::Work> &groups) { groups.emplace_back(); }

/// Until at most `pending` closed groups are unfinished.
void await(std::deque<Warp::Work> &groups, size_t pending) {
  while (groups.size() > pending + 1) {
    finish(groups.front());
    groups.pop_front();
  }
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

/// What createpolicy makes, and copies with a policy take: nobody may guess it.
constexpr uint64_t policyOfCache = 0x9a6e0f5c317db284;

void makePolicy(Warp &w, const Instruction &i, Mask mask) {
  uint64_t *values = w.lanes<uint64_t>(i.operands[0]);
  forLanes(mask, [&](int l) { values[l] = policyOfCache; });
}

/// Operands: destination, source, bytes to read (the rest is zero) or None,
/// policy or None.
void copyAsync(Warp &w, const Instruction &i, Mask mask) {
  auto bytes = unsigned(i.values[0]);
  forLanes(mask, [&](int l) {
    uint64_t to = addressOf(w, i.operands[0], l);
    uint64_t from = addressOf(w, i.operands[1], l);
    unsigned read = i.operands[2].kind == Operand::Row
                        ? w.lanes<uint32_t>(i.operands[2])[l]
                        : bytes;
    if (i.operands[3].kind == Operand::Row &&
        w.lanes<uint64_t>(i.operands[3])[l] != policyOfCache)
      throw Fault("a copy with a policy that createpolicy did not make");
    if (to % bytes || (read && from % bytes) || read > bytes)
      throw Fault("a copy of " + std::to_string(bytes) +
                  " bytes is not aligned");
    char *d = w.block.sharedAt(to, bytes);
    const char *a = read ? w.block.globalAt(from, read) : nullptr;
    add(w, w.copies[l], [=] {
      if (read)
        std::memcpy(d, a, read);
      std::memset(d + read, 0, bytes - read);
    });
  });
}

template <std::array<std::deque<Warp::Work>, kLanes> Warp::*kGroups>
void commitGroup(Warp &w, const Instruction &, Mask mask) {
  forLanes(mask, [&](int l) { commit((w.*kGroups)[l]); });
}

template <std::array<std::deque<Warp::Work>, kLanes> Warp::*kGroups>
void awaitGroup(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    if ((w.*kGroups)[l].empty())
      return;
    await((w.*kGroups)[l], size_t(i.values[0]));
    if (i.values[1]) // wait_all: the open one as well
      finish((w.*kGroups)[l].back());
  });
}

//===----------------------------------------------------------------------===//
// Bulk tensor copies
//===----------------------------------------------------------------------===//

/// f(shared address, global address or null outside the tensor) for each run
/// of 16 bytes of the box at the coordinates.
template <typename F>
void forBox(const TensorMap &map, const int32_t *coordinates, uint64_t tile,
            F f) {
  unsigned perRun = 16u / map.elementBytes;
  int64_t run = 0;
  int64_t index[4];
  for (index[3] = 0; index[3] < map.box[3]; ++index[3])
    for (index[2] = 0; index[2] < map.box[2]; ++index[2])
      for (index[1] = 0; index[1] < map.box[1]; ++index[1])
        for (index[0] = 0; index[0] < map.box[0]; index[0] += perRun) {
          bool inside = true;
          uint64_t address = map.address;
          for (int k = 0; k < 4; ++k) {
            int64_t at = coordinates[k] + index[k];
            inside &= at >= 0 && at < int64_t(map.sizes[k]);
            address +=
                uint64_t(at) * (k ? map.strides[k - 1] : map.elementBytes);
          }
          // A run may stick out over the end of the innermost dimension.
          int64_t left = int64_t(map.sizes[0]) - coordinates[0] - index[0];
          unsigned bytes = inside ? unsigned(std::min<int64_t>(left, perRun)) *
                                        map.elementBytes
                                  : 0;
          f(swizzled(tile + uint64_t(run) * 16, map.swizzle), address, bytes);
          ++run;
        }
}

const TensorMap &mapAt(Warp &w, uint64_t address) {
  const auto *map = reinterpret_cast<const TensorMap *>(
      w.block.globalAt(address, sizeof(TensorMap)));
  if (address % 64 || map->magic != TensorMap::kMagic || map->rank != 4)
    throw Fault("there is no tensor map of four dimensions at " +
                std::to_string(address));
  return *map;
}

/// Coordinates of a lane: parts 1 to 4 of a tensor's address.
std::array<int32_t, 4> coordinatesOf(Warp &w, const Operand &address, int l) {
  std::array<int32_t, 4> result;
  for (int k = 0; k < 4; ++k)
    result[k] = w.lanes<int32_t>(address.parts[1].parts[k])[l];
  return result;
}

/// Operands: destination, map with coordinates, barrier.
void loadTensor(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint64_t tile = addressOf(w, i.operands[0], l),
             barrier = addressOf(w, i.operands[2], l);
    const TensorMap &map = mapAt(w, addressOf(w, i.operands[1], l));
    auto at = coordinatesOf(w, i.operands[1], l);
    if (tile % 128)
      throw Fault("a tile at shared address " + std::to_string(tile));
    w.block.transaction(barrier);
    Block *block = &w.block;
    w.block.start([=, &map] {
      int64_t bytes = 0;
      forBox(map, at.data(), tile,
             [&](uint64_t to, uint64_t from, unsigned read) {
               char *d = block->sharedAt(to, 16);
               if (read)
                 std::memcpy(d, block->globalAt(from, read), read);
               std::memset(d + read, 0, 16 - read);
               bytes += 16;
             });
      block->arrive(barrier, 0, -bytes);
    });
  });
}

/// Operands: destination, source, bytes, barrier.
void loadBulk(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint64_t to = addressOf(w, i.operands[0], l),
             from = addressOf(w, i.operands[1], l),
             barrier = addressOf(w, i.operands[3], l);
    unsigned bytes = w.lanes<uint32_t>(i.operands[2])[l];
    if (to % 16 || from % 16 || bytes % 16)
      throw Fault("a bulk copy of " + std::to_string(bytes) +
                  " bytes is not aligned");
    w.block.transaction(barrier);
    Block *block = &w.block;
    w.block.start([=] {
      std::memcpy(block->sharedAt(to, bytes), block->globalAt(from, bytes),
                  bytes);
      block->arrive(barrier, 0, -int64_t(bytes));
    });
  });
}

/// Operands: destination, source, bytes: numbers of f32, which are added to
/// what is there.
void reduceBulk(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint64_t to = addressOf(w, i.operands[0], l),
             from = addressOf(w, i.operands[1], l);
    unsigned bytes = w.lanes<uint32_t>(i.operands[2])[l];
    if (to % 16 || from % 16 || bytes % 16)
      throw Fault("a bulk reduction of " + std::to_string(bytes) +
                  " bytes is not aligned");
    Block *block = &w.block;
    add(w, w.bulkStores[l], [=] {
      char *d = block->globalAt(to, bytes);
      const char *s = block->sharedAt(from, bytes);
      for (unsigned k = 0; k < bytes; k += sizeof(float)) {
        float sum, added;
        std::memcpy(&sum, d + k, sizeof sum);
        std::memcpy(&added, s + k, sizeof added);
        sum += added;
        std::memcpy(d + k, &sum, sizeof sum);
      }
    });
  });
}

/// Operands: map with coordinates, source.
void storeTensor(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint64_t tile = addressOf(w, i.operands[1], l);
    const TensorMap &map = mapAt(w, addressOf(w, i.operands[0], l));
    auto at = coordinatesOf(w, i.operands[0], l);
    Block *block = &w.block;
    add(w, w.bulkStores[l], [=, &map] {
      forBox(map, at.data(), tile,
             [&](uint64_t from, uint64_t to, unsigned bytes) {
               if (bytes)
                 std::memcpy(block->globalAt(to, bytes),
                             block->sharedAt(from, 16), bytes);
             });
    });
  });
}

//===----------------------------------------------------------------------===//
// Barrier objects
//===----------------------------------------------------------------------===//

void initBarrier(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint64_t address = addressOf(w, i.operands[0], l);
    w.block.sharedAt(address, 8);
    if (address % 8)
      throw Fault("an mbarrier at shared address " + std::to_string(address));
    TransactionBarrier barrier;
    barrier.expected = barrier.pending = w.lanes<uint32_t>(i.operands[1])[l];
    if (!barrier.expected)
      throw Fault("an mbarrier that expects nobody");
    w.block.transactions[uint32_t(address)] = barrier;
  });
}

void invalidateBarrier(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    w.block.transactions.erase(uint32_t(addressOf(w, i.operands[0], l)));
  });
}

/// Operands: state (None), barrier, bytes or count (None). values: whether the
/// last is bytes to come; whether it arrives.
void arriveAtBarrier(Warp &w, const Instruction &i, Mask mask) {
  forLanes(mask, [&](int l) {
    uint32_t given = i.operands[2].kind == Operand::Row
                         ? w.lanes<uint32_t>(i.operands[2])[l]
                         : 0;
    unsigned count = i.values[0] || !given ? 1 : given;
    w.block.arrive(addressOf(w, i.operands[1], l), i.values[1] ? count : 0,
                   i.values[0] ? given : 0);
    if (i.operands[0].kind == Operand::Row)
      w.lanes<uint64_t>(i.operands[0])[l] = 0;
  });
}

/// Operands: result, barrier, parity. Lanes for which the phase has not ended
/// wait at this instruction until it has: what a loop around it does.
void tryWait(Warp &w, const Instruction &i, Mask mask) {
  Mask done = 0;
  forLanes(mask, [&](int l) {
    uint64_t address = addressOf(w, i.operands[1], l);
    bool parity = w.lanes<uint32_t>(i.operands[2])[l] & 1;
    if (w.block.transaction(address).phase != parity)
      done |= Mask(1) << l;
  });
  if (i.values[0]) { // test_wait
    Mask &p = w.predicates[i.operands[0].row];
    p = (p & ~mask) | done;
    return;
  }
  w.predicates[i.operands[0].row] |= done;
  Mask waiting = mask & ~done;
  for (int l = 0; l < kLanes; ++l) {
    if (!(waiting >> l & 1))
      continue;
    Group group;
    group.mask = Mask(1) << l;
    group.at = w.groups[w.current].at - 1;
    group.state = Group::AtTransaction;
    group.address = uint32_t(addressOf(w, i.operands[1], l));
    group.parity = w.lanes<uint32_t>(i.operands[2])[l] & 1;
    // Lanes that wait for the same thing wait together.
    for (int m = l + 1; m < kLanes; ++m)
      if ((waiting >> m & 1) &&
          uint32_t(addressOf(w, i.operands[1], m)) == group.address &&
          bool(w.lanes<uint32_t>(i.operands[2])[m] & 1) == group.parity)
        group.mask |= Mask(1) << m;
    waiting &= ~group.mask;
    w.groups[w.current].mask &= ~group.mask;
    w.groups.push_back(group);
  }
}

Handler decodeTransaction(Decoder &d) {
  auto &values = d.instruction.values;
  if (d.has("init")) {
    d.address(0);
    d.value(1, 4);
    return initBarrier;
  }
  if (d.has("inval")) {
    d.address(0);
    return invalidateBarrier;
  }
  if (d.has("arrive") || d.has("expect_tx")) {
    values[0] = d.has("expect_tx");
    values[1] = d.has("arrive");
    size_t next = 0;
    if (d.argument(0).kind == Argument::Address) {
      d.instruction.operands.emplace_back();
    } else if (d.argument(0).name == "_") {
      d.instruction.operands.emplace_back();
      ++next;
    } else {
      d.value(next++, 8);
    }
    d.address(next++);
    if (next < d.arguments())
      d.value(next, 4);
    else
      d.instruction.operands.emplace_back();
    return arriveAtBarrier;
  }
  if ((d.has("try_wait") || d.has("test_wait")) && d.has("parity")) {
    values[0] = d.has("test_wait");
    d.predicate(0);
    d.address(1);
    d.value(2, 4);
    return tryWait;
  }
  return nullptr;
}

Handler decodeBulk(Decoder &d) {
  if (d.has("commit_group"))
    return commitGroup<&Warp::bulkStores>;
  if (d.has("wait_group")) {
    d.instruction.values[0] = d.integer(0);
    return awaitGroup<&Warp::bulkStores>;
  }
  if (d.has("reduce") && !d.has("tensor")) {
    if (!d.has("add") || d.type() != "f32")
      return nullptr;
    d.address(0);
    d.address(1);
    d.value(2, 4);
    return reduceBulk;
  }
  if (!d.has("tensor") && d.has("mbarrier::complete_tx::bytes")) {
    d.address(0);
    d.address(1);
    d.value(2, 4);
    d.address(3);
    return loadBulk;
  }
  if (!d.has("tensor") || !d.has("4d"))
    return nullptr;
  d.address(0);
  d.address(1);
  // A load's parts: ...shared::cta.global...; a store's the other way round.
  size_t first = 0;
  for (size_t k = 0; k < d.parts.size() && !first; ++k)
    if (d.parts[k] == "global" || d.parts[k].rfind("shared", 0) == 0)
      first = k;
  if (d.parts[first] == "global")
    return storeTensor;
  d.address(2);
  return loadTensor;
}

} // namespace

Handler attn::ptx::decodeCopy(Decoder &d) {
  if (d.name() == "mbarrier")
    return decodeTransaction(d);
  if (d.name() == "createpolicy" && d.has("fractional")) {
    d.value(0, 8);
    return makePolicy;
  }
  if (d.name() != "cp" || !d.has("async"))
    return nullptr;
  if (d.has("bulk"))
    return decodeBulk(d);
  if (d.has("commit_group"))
    return commitGroup<&Warp::copies>;
  if (d.has("wait_group") || d.has("wait_all")) {
    d.instruction.values[0] = d.has("wait_all") ? 0 : d.integer(0);
    d.instruction.values[1] = d.has("wait_all");
    return awaitGroup<&Warp::copies>;
  }
  if (!d.has("shared"))
    return nullptr;
  d.address(0);
  d.address(1);
  d.instruction.values[0] = d.integer(2);
  size_t next = 3;
  bool hasPolicy = d.has("L2::cache_hint");
  if (d.arguments() > next + hasPolicy)
    d.value(next++, 4);
  else
    d.instruction.operands.emplace_back();
  if (hasPolicy)
    d.value(next, 8);
  else
    d.instruction.operands.emplace_back();
  return copyAsync;
}
