// A GPU made of host memory, for tests: it runs the PTX that this project
// generates, one block after the other, its warps in turns of random length,
// and its copy engine and matrix unit at the worst moment that the program
// allows. It finds what a GPU might hide: accesses outside allocations, reads
// of what was never written (memory starts as NaN), waits that never end,
// barriers with the wrong counts.
//
// Registers are rows of 32 lanes in one file per warp. Immediate operands and
// special registers have rows too, so that an instruction is a loop over rows.
#ifndef ATTN_TEST_PTXMACHINE_MACHINE_H
#define ATTN_TEST_PTXMACHINE_MACHINE_H

#include "Program.h"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <set>

namespace attn::ptx {

using Mask = uint32_t;
constexpr int kLanes = 32;

struct Warp;
struct Block;
struct Instruction;
using Handler = void (*)(Warp &, const Instruction &, Mask);

/// A resolved argument.
struct Operand {
  enum Kind { Row, Predicate, Address, Vector, None };
  Kind kind = None;
  uint32_t row = 0;       ///< byte offset in the file, or number of a predicate
  uint32_t bytes = 0;     ///< of one lane
  bool negated = false;   ///< of a predicate
  bool parameter = false; ///< of an address: offset counts from the parameters
  int64_t offset = 0;     ///< of an address
  std::vector<Operand> parts; ///< of a vector, or base and coordinates
};

struct Instruction {
  Handler run = nullptr;
  int guard = -1; ///< number of a predicate
  bool guardNegated = false;
  /// All lanes that live (or those of the member mask) must arrive together.
  bool collective = false;
  Mask members = ~Mask(0);
  uint32_t target = 0;    ///< of a branch
  int64_t values[6] = {}; ///< whatever the handler needs to know
  std::vector<Operand> operands;
  const Statement *statement = nullptr;
};

/// A kernel whose names are resolved.
struct Code {
  Kernel kernel;
  std::vector<Instruction> instructions;
  uint32_t fileBytes = 0, predicates = 0;
  /// What a warp's file holds at the start: rows of immediates.
  std::vector<std::pair<uint32_t, std::vector<char>>> constants;
  /// Rows of special registers, by name.
  std::map<std::string, uint32_t> specials;
  /// Of all registers and immediates, by scope and name.
  std::map<std::string, uint32_t> rows, predicateNumbers;
};

/// Throws Fault for an instruction that the machine does not have.
std::unique_ptr<Code> decode(Kernel kernel);

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// When the copy engine and the matrix unit do what they were told to.
enum class Timing { Eager, Lazy, Random };

struct Options {
  Timing timing = Timing::Random;
  unsigned seed = 1;
  /// Whether the kernel may touch these bytes of device memory.
  std::function<bool(uint64_t address, uint64_t bytes)> accessible;
  /// Executions by opcode, of warps: null if nobody asks.
  std::map<std::string, uint64_t> *counts = nullptr;
};

/// Runs every block to its end. Throws Fault.
void launch(const Code &code, Dim3 grid, Dim3 block, int64_t dynamicSharedBytes,
            void **parameters, const Options &options);

/// A barrier object in shared memory.
struct TransactionBarrier {
  uint32_t expected = 0, pending = 0;
  int64_t bytes = 0;
  bool phase = false;
};

/// Lanes of a warp at the same instruction.
struct Group {
  enum State { Ready, Gathering, AtBarrier, AtTransaction };
  Mask mask = 0;
  uint32_t at = 0;
  State state = Ready;
  int barrier = 0;      ///< AtBarrier
  uint32_t address = 0; ///< AtTransaction
  bool parity = false;  ///< AtTransaction
};

struct Warp {
  Warp(Block &block, unsigned index);
  char *row(uint32_t offset) { return file.get() + offset; }
  template <typename T> T *lanes(const Operand &operand) {
    return reinterpret_cast<T *>(file.get() + operand.row);
  }
  /// Bits of a predicate operand, `!` obeyed.
  Mask bits(const Operand &operand) const {
    return operand.negated ? ~predicates[operand.row] : predicates[operand.row];
  }
  Mask live() const {
    Mask all = 0;
    for (const Group &group : groups)
      all |= group.mask;
    return all;
  }

  Block &block;
  unsigned index;
  struct Free {
    void operator()(char *p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> file;
  std::vector<Mask> predicates;
  std::vector<Group> groups;
  size_t current = 0; ///< index of the group that runs
  /// Registers of each thread; what setmaxnreg says last.
  int64_t registers = 0;

  /// Started and not awaited: groups of work, oldest first; the last one is
  /// still open.
  using Work = std::vector<std::function<void()>>;
  std::deque<Work> products{1};
  std::array<std::deque<Work>, kLanes> copies, bulkStores;
};

struct NamedBarrier {
  unsigned arrived = 0;
  bool any = false, all = true; ///< of a reduction
};

struct Block {
  Block(const Code &code, const Options &options, std::mt19937 &random)
      : code(code), options(options), random(random) {}

  const Code &code;
  const Options &options;
  std::mt19937 &random;
  Dim3 grid, size, index;
  std::vector<char> parameters;
  size_t parameterBase = 0; ///< where the first one lies in it
  /// Shared memory; its addresses start at kSharedBase.
  std::vector<char> shared;
  std::map<uint32_t, TransactionBarrier> transactions;
  std::array<NamedBarrier, 16> barriers;
  std::vector<std::unique_ptr<Warp>> warps;
  /// What the copy engine has still to do.
  Warp::Work engine;

  unsigned threads() const { return unsigned(size.count()); }
  /// Registers that each thread has at the start: as many as let as many blocks
  /// run as the kernel wants.
  int64_t registersAtStart() const;
  void run();

  /// Host addresses of what a lane reads or writes; Fault if it may not.
  char *sharedAt(uint64_t address, uint64_t bytes);
  char *globalAt(uint64_t address, uint64_t bytes);

  TransactionBarrier &transaction(uint64_t address);
  /// One arrival and `bytes` more (or fewer) to come.
  void arrive(uint64_t address, unsigned count, int64_t bytes);
  void joinBarrier(Warp &warp, int barrier, unsigned threads, bool wait);
  /// Something asynchronous, done now or later.
  void start(std::function<void()> work);
  bool late();

private:
  void advance(Warp &warp, unsigned steps);
  bool select(Warp &warp);
  void wake(Group &group);
  [[noreturn]] void deadlock();
  void checkRegisters() const;

  uint64_t executed = 0;
};

/// The first byte of shared memory, as on a GPU: what lies before is the
/// system's.
constexpr uint32_t kSharedBase = 1024;

/// "PTX line 12: WHAT (OPCODE)".
[[noreturn]] void fault(const Instruction &instruction,
                        const std::string &what);

} // namespace attn::ptx

#endif // ATTN_TEST_PTXMACHINE_MACHINE_H
