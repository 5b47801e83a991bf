// PTX text as data: what the parser hands to the decoder. Names are still
// names here.
#ifndef ATTN_TEST_PTXMACHINE_PROGRAM_H
#define ATTN_TEST_PTXMACHINE_PROGRAM_H

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace attn::ptx {

/// PTX that the machine does not understand, or a kernel that does what a GPU
/// would not allow. The message names the line of the PTX text.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One argument of an instruction as written.
struct Argument {
  enum Kind {
    Name,    ///< %r1, %tid.x, a label, a parameter, a variable
    Integer, ///< 12, -1, 0x10
    Float,   ///< 0f3F800000 (bits), 0d...
    Address, ///< [parts[0] + value], [parts[0], {coordinates}]
    Vector,  ///< {a, b, c}
    Pair     ///< p|q
  };
  Kind kind = Name;
  std::string name;
  bool negated = false; ///< !p
  int64_t value = 0;    ///< integer, bits of a float, offset of an address
  int floatBytes = 0;
  std::vector<Argument> parts;
};

/// `@guard opcode arguments;`
struct Statement {
  std::string guard; ///< empty: always
  bool guardNegated = false;
  std::string opcode;
  std::vector<Argument> arguments;
  int line = 0;
  int scope = 0; ///< index of Kernel::scopes
};

/// What `{ ... }` declares. Names are looked up from the innermost scope out.
struct Scope {
  int parent = -1;
  /// Prefix and width in bits of `.reg .b32 %r<12>`; width 1 is a predicate.
  std::map<std::string, int> families;
  std::map<std::string, int> registers;
  std::map<std::string, size_t> labels; ///< index of the next statement
};

/// A parameter or a variable in memory.
struct Variable {
  int64_t bytes = 0, align = 1, offset = 0;
};

struct Kernel {
  std::string name;
  std::vector<std::string> parameterNames;
  std::map<std::string, Variable> parameters, shared;
  int64_t parameterBytes = 0;
  int64_t sharedBytes = 0; ///< of variables whose size is written
  int maxThreads = 1024;
  int blocksPerMultiprocessor = 1; ///< at least
  std::vector<Scope> scopes;
  std::vector<Statement> statements;
};

/// Every kernel of a module; throws Fault.
std::map<std::string, Kernel> parse(const std::string &text);

} // namespace attn::ptx

#endif // ATTN_TEST_PTXMACHINE_PROGRAM_H
