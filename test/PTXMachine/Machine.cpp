// The order in which things happen: blocks, warps, groups of lanes, barriers.
#include "Machine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace attn::ptx;

void attn::ptx::fault(const Instruction &instruction, const std::string &what) {
  throw Fault("PTX line " + std::to_string(instruction.statement->line) + ": " +
              what + " (" + instruction.statement->opcode + ")");
}

Warp::Warp(Block &block, unsigned index)
    : block(block), index(index),
      file(static_cast<char *>(
          std::aligned_alloc(64, (block.code.fileBytes + 63) / 64 * 64))),
      predicates(block.code.predicates) {
  std::memset(file.get(), 0xff, block.code.fileBytes);
  for (const auto &[row, bytes] : block.code.constants)
    std::memcpy(file.get() + row, bytes.data(), bytes.size());
  for (const auto &special : block.code.specials) {
    const auto &[name, row] = special;
    auto *values = reinterpret_cast<uint32_t *>(file.get() + row);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      unsigned thread = index * kLanes + lane;
      auto pick = [&](const Dim3 &d) {
        char axis = special.first.back();
        return axis == 'x' ? d.x : axis == 'y' ? d.y : d.z;
      };
      Dim3 position{thread % block.size.x, thread / block.size.x % block.size.y,
                    thread / block.size.x / block.size.y};
      values[lane] = name.rfind("%tid.", 0) == 0      ? pick(position)
                     : name.rfind("%ntid.", 0) == 0   ? pick(block.size)
                     : name.rfind("%ctaid.", 0) == 0  ? pick(block.index)
                     : name.rfind("%nctaid.", 0) == 0 ? pick(block.grid)
                     : name == "%laneid"              ? lane
                     : name == "%warpid"              ? index
                                                      : 0; // %smid
    }
  }
  unsigned threads = block.threads() - index * kLanes;
  Group all;
  all.mask = threads >= kLanes ? ~Mask(0) : (Mask(1) << threads) - 1;
  groups.push_back(all);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

char *Block::sharedAt(uint64_t address, uint64_t bytes) {
  if (address < kSharedBase || address > kSharedBase + shared.size() ||
      bytes > kSharedBase + shared.size() - address)
    throw Fault("shared address " + std::to_string(address) + " of " +
                std::to_string(bytes) + " bytes is outside of the block's " +
                std::to_string(shared.size()) + " bytes");
  return shared.data() + (address - kSharedBase);
}

char *Block::globalAt(uint64_t address, uint64_t bytes) {
  auto *pointer = reinterpret_cast<char *>(address);
  if (pointer >= parameters.data() &&
      pointer + bytes <= parameters.data() + parameters.size())
    return pointer;
  if (!options.accessible(address, bytes))
    throw Fault(std::to_string(bytes) + " bytes at global address " +
                std::to_string(address) + " are in no allocation");
  return pointer;
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

TransactionBarrier &Block::transaction(uint64_t address) {
  auto found = transactions.find(uint32_t(address));
  if (found == transactions.end())
    throw Fault("no mbarrier was initialised at shared address " +
                std::to_string(address));
  return found->second;
}

void Block::arrive(uint64_t address, unsigned count, int64_t bytes) {
  TransactionBarrier &barrier = transaction(address);
  if (count > barrier.pending)
    throw Fault("the mbarrier at shared address " + std::to_string(address) +
                " expects " + std::to_string(barrier.expected) +
                " arrivals for each phase and gets more");
  barrier.pending -= count;
  barrier.bytes += bytes;
  if (barrier.pending || barrier.bytes)
    return;
  barrier.phase = !barrier.phase;
  barrier.pending = barrier.expected;
}

void Block::joinBarrier(Warp &warp, int barrier, unsigned count, bool wait) {
  if (count % kLanes != 0 || count > (threads() + 31) / 32 * 32)
    throw Fault("barrier " + std::to_string(barrier) + " for " +
                std::to_string(count) + " threads");
  NamedBarrier &state = barriers.at(barrier);
  state.arrived += kLanes;
  if (wait) {
    warp.groups[warp.current].state = Group::AtBarrier;
    warp.groups[warp.current].barrier = barrier;
  }
  if (state.arrived < count)
    return;
  if (state.arrived > count)
    throw Fault("more warps arrive at barrier " + std::to_string(barrier) +
                " than it is for");
  for (std::unique_ptr<Warp> &other : warps)
    for (Group &group : other->groups)
      if (group.state == Group::AtBarrier && group.barrier == barrier) {
        group.state = Group::Ready;
        // A reduction: the result goes where the instruction before says.
        const Instruction &at = code.instructions[group.at - 1];
        if (at.values[0]) {
          Mask &result = other->predicates[at.operands[0].row];
          bool value = at.values[0] == 1 ? state.any : state.all;
          result = value ? result | group.mask : result & ~group.mask;
        }
      }
  state = {};
}

bool Block::late() {
  if (options.timing == Timing::Random)
    return random() % 2;
  return options.timing == Timing::Lazy;
}

void Block::start(std::function<void()> work) {
  if (late())
    engine.push_back(std::move(work));
  else
    work();
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Of all warps of a block together: the longest kernels of the tests need a
/// hundredth.
static constexpr uint64_t kPatience = 1 << 28;

/// Whether lanes that wait for bytes or arrivals may go on.
void Block::wake(Group &group) {
  if (group.state == Group::AtTransaction &&
      transaction(group.address).phase != group.parity)
    group.state = Group::Ready;
}

/// Chooses the group that is furthest behind, which lets lanes that went
/// different ways meet again; merges groups that have met. False if all wait.
bool Block::select(Warp &warp) {
  std::vector<Group> &groups = warp.groups;
  while (true) {
    for (size_t i = 0; i < groups.size(); ++i) {
      wake(groups[i]);
      for (size_t j = 0; j < i; ++j)
        if (groups[j].at == groups[i].at &&
            groups[j].state == groups[i].state &&
            groups[j].state <= Group::Gathering) {
          groups[j].mask |= groups[i].mask;
          groups[i].mask = 0;
        }
    }
    groups.erase(std::remove_if(groups.begin(), groups.end(),
                                [](const Group &g) { return !g.mask; }),
                 groups.end());
    size_t best = groups.size();
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].state == Group::Gathering) {
        const Instruction &next = code.instructions[groups[i].at];
        if ((groups[i].mask & next.members) == (warp.live() & next.members))
          groups[i].state = Group::Ready;
      }
      if (groups[i].state == Group::Ready &&
          (best == groups.size() || groups[i].at < groups[best].at))
        best = i;
    }
    if (best == groups.size())
      return false;
    Group &group = groups[best];
    const Instruction &next = code.instructions[group.at];
    if (next.collective &&
        (group.mask & next.members) != (warp.live() & next.members)) {
      group.state = Group::Gathering;
      continue;
    }
    warp.current = best;
    return true;
  }
}

void Block::advance(Warp &warp, unsigned steps) {
  for (unsigned i = 0; i < steps; ++i) {
    // A lone group has nobody to meet.
    if (warp.groups.size() != 1 || warp.groups[0].state != Group::Ready ||
        !warp.groups[0].mask) {
      if (!select(warp))
        return;
    } else {
      warp.current = 0;
    }
    Group &group = warp.groups[warp.current];
    if (group.at >= code.instructions.size())
      throw Fault("a thread runs over the end of the kernel");
    if (++executed > kPatience)
      throw Fault("a block that does not end in " + std::to_string(kPatience) +
                  " instructions");
    const Instruction &next = code.instructions[group.at];
    Mask mask = group.mask;
    if (next.guard >= 0)
      mask &= next.guardNegated ? ~warp.predicates[next.guard]
                                : warp.predicates[next.guard];
    ++group.at;
    if (options.counts)
      ++(*options.counts)[next.statement->opcode];
    if (!mask)
      continue;
    try {
      next.run(warp, next, mask);
    } catch (const Fault &problem) {
      std::string what = problem.what();
      if (what.rfind("PTX line", 0) == 0)
        throw;
      fault(next, "block " + std::to_string(index.x) + ", warp " +
                      std::to_string(warp.index) + ": " + what);
    }
  }
}

void Block::deadlock() {
  std::string text = "the block waits for ever:";
  for (const std::unique_ptr<Warp> &warp : warps)
    for (const Group &group : warp->groups) {
      bool before = group.state == Group::AtBarrier;
      const Instruction &at = code.instructions[group.at - (before ? 1 : 0)];
      text += "\n  warp " + std::to_string(warp->index) + ", PTX line " +
              std::to_string(at.statement->line) + ": " + at.statement->opcode;
      if (group.state == Group::AtTransaction) {
        const TransactionBarrier &barrier = transaction(group.address);
        text += ", shared address " + std::to_string(group.address) +
                ", phase of parity " + std::to_string(group.parity) + ", " +
                std::to_string(barrier.pending) + " of " +
                std::to_string(barrier.expected) + " arrivals and " +
                std::to_string(barrier.bytes) + " bytes to come";
      }
      if (before)
        text += ", barrier " + std::to_string(group.barrier) + ", " +
                std::to_string(barriers[group.barrier].arrived) +
                " threads are there";
    }
  throw Fault(text);
}

void Block::run() {
  while (true) {
    // Whoever can run, in random order, for a random while.
    std::vector<Warp *> ready;
    bool alive = false;
    for (std::unique_ptr<Warp> &warp : warps)
      if (warp->live()) {
        alive = true;
        if (select(*warp))
          ready.push_back(warp.get());
      }
    if (!alive)
      break;
    bool copies = !engine.empty() && (ready.empty() || random() % 8 == 0) &&
                  (ready.empty() || options.timing != Timing::Lazy);
    if (copies) {
      size_t which = random() % engine.size();
      std::function<void()> work = std::move(engine[which]);
      engine.erase(engine.begin() + which);
      work();
      continue;
    }
    if (ready.empty())
      deadlock();
    advance(*ready[random() % ready.size()], 1 + random() % 400);
  }
  checkRegisters();
  // A GPU ends a block when its copies have ended.
  for (std::function<void()> &work : engine)
    work();
  // Not so of those that read shared memory, which the next block gets.
  for (std::unique_ptr<Warp> &warp : warps)
    for (auto &lane : warp->bulkStores)
      for (Warp::Work &group : lane)
        if (!group.empty())
          throw Fault(
              "a block ends before the copy engine has read what warp " +
              std::to_string(warp->index) + " stores");
}

int64_t Block::registersAtStart() const {
  constexpr int64_t ofMultiprocessor = 65536, granularity = 8;
  int64_t share = ofMultiprocessor /
                  (code.kernel.blocksPerMultiprocessor * int64_t(threads()));
  return share / granularity * granularity;
}

/// Warps that take more registers than others leave wait for them for ever on a
/// GPU.
void Block::checkRegisters() const {
  int64_t all = registersAtStart() * threads(), taken = 0;
  bool any = false;
  for (const std::unique_ptr<Warp> &warp : warps) {
    any |= warp->registers != 0;
    taken += kLanes * (warp->registers ? warp->registers : registersAtStart());
  }
  if (any && taken > all)
    throw Fault("a block's warps take " + std::to_string(taken) +
                " registers (setmaxnreg), of " + std::to_string(all) +
                " that it has");
}

void attn::ptx::launch(const Code &code, Dim3 grid, Dim3 size,
                       int64_t dynamicSharedBytes, void **parameters,
                       const Options &options) {
  std::mt19937 random(options.seed);
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        Block block(code, options, random);
        block.grid = grid;
        block.size = size;
        block.index = {x, y, z};
        // Tensor maps lie at multiples of 64 bytes.
        block.parameters.resize(code.kernel.parameterBytes + 64);
        size_t shift =
            -reinterpret_cast<uintptr_t>(block.parameters.data()) & size_t(63);
        block.parameterBase = shift;
        for (size_t i = 0; i < code.kernel.parameterNames.size(); ++i) {
          const Variable &variable =
              code.kernel.parameters.at(code.kernel.parameterNames[i]);
          std::memcpy(block.parameters.data() + shift + variable.offset,
                      parameters[i], variable.bytes);
        }
        block.shared.assign(code.kernel.sharedBytes + dynamicSharedBytes,
                            char(0xff));
        for (unsigned w = 0; w * kLanes < block.threads(); ++w)
          block.warps.push_back(std::make_unique<Warp>(block, w));
        block.run();
      }
}
