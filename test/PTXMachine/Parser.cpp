// Reads the PTX that LLVM writes, inline assembly included.
#include "Program.h"

#include <cctype>
#include <cstdlib>

using namespace attn::ptx;

namespace {

class Parser {
public:
  explicit Parser(const std::string &text) : text(text) {}

  std::map<std::string, Kernel> parseModule() {
    std::map<std::string, Kernel> kernels;
    for (skip(); at < text.size(); skip()) {
      std::string directive = word();
      if (directive == ".version" || directive == ".target" ||
          directive == ".address_size" || directive == ".file") {
        at = text.find('\n', at);
      } else if (directive == ".visible" || directive == ".extern" ||
                 directive == ".weak") {
        continue;
      } else if (directive == ".entry") {
        Kernel kernel = parseKernel();
        kernels[kernel.name] = std::move(kernel);
      } else if (directive == ".shared") {
        declareShared(global);
      } else {
        fail("unknown directive '" + directive + "'");
      }
    }
    return kernels;
  }

private:
  [[noreturn]] void fail(const std::string &what) {
    throw Fault("PTX line " + std::to_string(line()) + ": " + what);
  }

  int line() {
    for (; counted < at && counted < text.size(); ++counted)
      lines += text[counted] == '\n';
    return lines;
  }

  /// Over blanks and comments.
  void skip() {
    while (at < text.size()) {
      if (std::isspace(static_cast<unsigned char>(text[at])))
        ++at;
      else if (text.compare(at, 2, "//") == 0)
        at = std::min(text.find('\n', at), text.size());
      else if (text.compare(at, 2, "/*") == 0)
        at = std::min(text.find("*/", at), text.size() - 2) + 2;
      else
        return;
    }
  }

  bool accept(char c) {
    skip();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      fail(std::string("expects '") + c + "', got '" + text.substr(at, 12) +
           "'");
  }

  /// Letters, digits and what may stand between them in names and opcodes.
  std::string word() {
    skip();
    size_t start = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) ||
            text[at] == '_' || text[at] == '$' || text[at] == '%' ||
            text[at] == '.' || text.compare(at, 2, "::") == 0))
      at += text[at] == ':' ? 2 : 1;
    if (start == at)
      fail("expects a name, got '" + text.substr(at, 12) + "'");
    return text.substr(start, at - start);
  }

  int64_t integer() {
    skip();
    bool negative = accept('-');
    char *end = nullptr;
    uint64_t value = std::strtoull(text.c_str() + at, &end, 0);
    if (end == text.c_str() + at)
      fail("expects a number, got '" + text.substr(at, 12) + "'");
    at = end - text.c_str();
    if (at < text.size() && text[at] == 'U')
      ++at;
    return int64_t(negative ? -value : value);
  }

  /// Width in bits of a type such as .b32; a predicate has 1.
  int widthOf(const std::string &type) {
    if (type == ".pred")
      return 1;
    size_t digits = type.find_first_of("0123456789");
    if (digits == std::string::npos)
      fail("unknown type '" + type + "'");
    return std::atoi(type.c_str() + digits);
  }

  Kernel parseKernel() {
    Kernel kernel;
    kernel.name = word();
    kernel.shared = global.shared;
    kernel.sharedBytes = global.sharedBytes;
    expect('(');
    while (!accept(')')) {
      declareParameter(kernel);
      accept(',');
    }
    while (!accept('{')) {
      std::string directive = word();
      int64_t first = integer();
      while (accept(','))
        first *= integer();
      if (directive == ".maxntid" || directive == ".reqntid")
        kernel.maxThreads = int(first);
      else if (directive == ".minnctapersm")
        kernel.blocksPerMultiprocessor = int(first);
      else if (directive != ".maxnreg")
        fail("unknown directive '" + directive + "'");
    }
    kernel.scopes.emplace_back();
    parseBody(kernel, 0);
    return kernel;
  }

  void declareParameter(Kernel &kernel) {
    Variable variable;
    std::string name;
    bool typed = false;
    while (name.empty()) {
      std::string part = word();
      if (part == ".align") {
        // The alignment of what a pointer points at is no concern of ours.
        int64_t align = integer();
        if (!typed)
          variable.align = align;
      } else if (part == ".ptr" || part == ".param" || part == ".global") {
        typed |= part == ".ptr";
      } else if (part[0] == '.') {
        variable.bytes = (widthOf(part) + 7) / 8;
        variable.align = std::max(variable.align, variable.bytes);
      } else {
        name = part;
      }
    }
    if (accept('[')) {
      variable.bytes *= integer();
      expect(']');
    }
    place(variable, kernel.parameterBytes);
    kernel.parameters[name] = variable;
    kernel.parameterNames.push_back(name);
  }

  static void place(Variable &variable, int64_t &end) {
    variable.offset =
        (end + variable.align - 1) / variable.align * variable.align;
    end = variable.offset + variable.bytes;
  }

  /// `.align 16 .b8 name[12];` A variable without a size is the dynamic memory
  /// behind all others.
  void declareShared(Kernel &kernel) {
    Variable variable;
    std::string name;
    while (name.empty()) {
      std::string part = word();
      if (part == ".align")
        variable.align = integer();
      else if (part[0] == '.')
        variable.bytes = widthOf(part) / 8;
      else
        name = part;
    }
    if (accept('[')) {
      skip();
      variable.bytes = text[at] == ']' ? 0 : variable.bytes * integer();
      expect(']');
    } else if (variable.align > 1) {
      variable.bytes = 0; // LLVM leaves out the brackets of a demoted array
    }
    expect(';');
    place(variable, kernel.sharedBytes);
    kernel.shared[name] = variable;
  }

  void declareRegisters(Scope &scope) {
    int width = widthOf(word());
    do {
      std::string name = word();
      if (accept('<')) {
        integer();
        expect('>');
        scope.families[name] = width;
      } else {
        scope.registers[name] = width;
      }
    } while (accept(','));
    expect(';');
  }

  /// Up to the closing brace.
  void parseBody(Kernel &kernel, int scope) {
    while (!accept('}')) {
      if (accept('{')) {
        Scope inner;
        inner.parent = scope;
        kernel.scopes.push_back(inner);
        parseBody(kernel, int(kernel.scopes.size()) - 1);
        continue;
      }
      if (at >= text.size())
        fail("expects '}'");
      if (accept('@')) {
        bool negated = accept('!');
        std::string guard = word();
        parseInstruction(kernel, scope, word(), guard, negated);
        continue;
      }
      std::string first = word();
      if (first == ".reg") {
        declareRegisters(kernel.scopes[scope]);
      } else if (first == ".shared") {
        declareShared(kernel);
      } else if (first == ".pragma" || first == ".loc") {
        at = text.find('\n', at);
      } else if (first[0] == '.') {
        fail("unknown directive '" + first + "'");
      } else if (at < text.size() && text[at] == ':') {
        ++at;
        kernel.scopes[scope].labels[first] = kernel.statements.size();
      } else {
        parseInstruction(kernel, scope, first, "", false);
      }
    }
  }

  void parseInstruction(Kernel &kernel, int scope, const std::string &opcode,
                        const std::string &guard, bool negated) {
    Statement statement;
    statement.guard = guard;
    statement.guardNegated = negated;
    statement.opcode = opcode;
    statement.line = line();
    statement.scope = scope;
    while (!accept(';')) {
      statement.arguments.push_back(parseArgument());
      if (!accept(',')) {
        expect(';');
        break;
      }
    }
    kernel.statements.push_back(std::move(statement));
  }

  Argument parseArgument() {
    Argument argument;
    skip();
    if (accept('[')) {
      argument.kind = Argument::Address;
      argument.parts.push_back(parseArgument());
      if (accept('+'))
        argument.value = integer();
      else if (text[at] == '-')
        argument.value = integer();
      while (accept(','))
        argument.parts.push_back(parseArgument());
      expect(']');
    } else if (accept('{')) {
      argument.kind = Argument::Vector;
      while (!accept('}')) {
        argument.parts.push_back(parseArgument());
        accept(',');
      }
    } else if (text.compare(at, 2, "0f") == 0 ||
               text.compare(at, 2, "0d") == 0) {
      argument.kind = Argument::Float;
      argument.floatBytes = text[at + 1] == 'f' ? 4 : 8;
      std::string digits = text.substr(at + 2, argument.floatBytes * 2);
      argument.value = int64_t(std::strtoull(digits.c_str(), nullptr, 16));
      at += 2 + digits.size();
    } else if (std::isdigit(static_cast<unsigned char>(text[at])) ||
               text[at] == '-') {
      argument.kind = Argument::Integer;
      argument.value = integer();
    } else {
      argument.negated = accept('!');
      argument.name = word();
      if (accept('|')) {
        Argument pair;
        pair.kind = Argument::Pair;
        pair.parts = {argument, parseArgument()};
        return pair;
      }
    }
    return argument;
  }

  const std::string &text;
  size_t at = 0, counted = 0;
  int lines = 1;
  Kernel global; ///< holds what is declared outside kernels
};

} // namespace

std::map<std::string, Kernel> attn::ptx::parse(const std::string &text) {
  return Parser(text).parseModule();
}
