// From a statement to the loop that runs it: each family of instructions has a
// file with one function that chooses the handler.
#ifndef ATTN_TEST_PTXMACHINE_DECODER_H
#define ATTN_TEST_PTXMACHINE_DECODER_H

#include "Machine.h"

namespace attn::ptx {

/// What the choice of a handler needs: the opcode in parts, and operands by
/// width.
class Decoder {
public:
  Decoder(Code &code, const Statement &statement, Instruction &instruction)
      : code(code), statement(statement), instruction(instruction) {}

  /// The first part of the opcode, and whether PART is among the rest.
  const std::string &name() const { return parts.front(); }
  bool has(const std::string &part) const;
  /// The last part: the type, mostly.
  const std::string &type() const { return parts.back(); }

  size_t arguments() const { return statement.arguments.size(); }
  const Argument &argument(size_t i) const;
  int64_t integer(size_t i) const;

  /// Appends argument `i` to the operands: a value of so many bytes.
  void value(size_t i, unsigned bytes);
  /// As it is, of any width.
  void any(size_t i);
  void predicate(size_t i);
  void address(size_t i);
  /// A vector or a single register, of so many bytes each (0: any).
  void vector(size_t i, unsigned bytes);
  /// d|p: the second is optional, and None then.
  void pair(size_t i, unsigned bytes);
  void branchTo(size_t i);
  /// All lanes of the member mask in argument `i` arrive together.
  void collective(int i = -1);

  [[noreturn]] void unknown() const;

  /// Fills `parts`.
  void split();

  Code &code;
  const Statement &statement;
  Instruction &instruction;
  std::vector<std::string> parts;

private:
  Operand resolve(const Argument &argument, unsigned bytes);
  Operand resolveName(const Argument &argument, unsigned bytes);
  Operand constant(int64_t value, unsigned bytes);
  /// What `_` stands for: a register that nobody reads.
  Operand sink(unsigned bytes);
  uint32_t rowOf(const std::string &key, unsigned bytes);
};

/// Bytes of a type such as s32, bf16x2; 0 for pred and what is no type.
unsigned bytesOf(const std::string &type);

// Each returns a handler, with the operands filled in, or null where the
// instruction is another family's.
Handler decodeArithmetic(Decoder &d);
Handler decodeFloat(Decoder &d);
Handler decodeConversion(Decoder &d);
Handler decodeMemory(Decoder &d);
Handler decodeCollective(Decoder &d);
Handler decodeCopy(Decoder &d);
Handler decodeMatrix(Decoder &d);
Handler decodeWarpGroupProduct(Decoder &d);

/// f(lane) for each lane of the mask; a plain loop, which the compiler can
/// vectorise, where all are in it.
template <typename F> inline void forLanes(Mask mask, F f) {
  if (mask == ~Mask(0)) {
    for (int lane = 0; lane < kLanes; ++lane)
      f(lane);
    return;
  }
  for (int lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1)
      f(lane);
}

/// The sum of base and offset for a lane.
uint64_t addressOf(Warp &warp, const Operand &address, int lane);

} // namespace attn::ptx

#endif // ATTN_TEST_PTXMACHINE_DECODER_H
