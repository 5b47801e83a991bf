// How the programs of a mod that are written in C++ become its text: what the
// types of Lambda.h stand for. An expression is a graph of nodes, each an
// operation of docs/Mods.md with the line of C++ that made it; nothing is
// evaluated. A program is what its result is computed from.
#ifndef ATTN_API_RECORDING_H
#define ATTN_API_RECORDING_H

#include "attn/API/Result.h"

#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace attn::recording {

/// A line of C++.
struct Place {
  const char *file;
  int line;

  std::string text() const {
    return std::string(file) + ":" + std::to_string(line);
  }
};

/// What a program captures; nodes refer to it by `name`.
struct Capture {
  std::string name;
  std::string type;  ///< as MLIR spells it
  Place place;       ///< of its declaration
  std::string error; ///< why it cannot be captured; empty if it can
};

/// A value: an operation, an argument of a program, a captured scalar, or an
/// error that is reported when a program uses it.
struct Node {
  std::string prefix; ///< "arith.addf "; of an argument its name
  std::vector<std::shared_ptr<const Node>> operands;
  std::string suffix; ///< " : f32"
  Place place;
  std::shared_ptr<const Capture> capture; ///< a table, or the scalar itself
  std::shared_ptr<const void> program;    ///< that it is an argument of
  std::string error;

  Node() = default;
  Node(const Node &) = delete;
  Node &operator=(const Node &) = delete;
  /// Without recursion, since a loop in C++ can make a deep graph.
  ~Node() {
    std::vector<std::shared_ptr<const Node>> open = std::move(operands);
    while (!open.empty()) {
      std::shared_ptr<const Node> node = std::move(open.back());
      open.pop_back();
      if (node.use_count() != 1)
        continue;
      auto &rest = const_cast<Node &>(*node).operands;
      for (std::shared_ptr<const Node> &operand : rest)
        open.push_back(std::move(operand));
      rest.clear();
    }
  }

  bool isArgument() const { return program != nullptr; }
  bool isScalar() const { return capture && prefix.empty(); }
};
using Value = std::shared_ptr<const Node>;

inline Value makeOperation(std::string prefix, std::vector<Value> operands,
                           std::string suffix, Place place) {
  auto node = std::make_shared<Node>();
  node->prefix = std::move(prefix), node->suffix = std::move(suffix);
  node->operands = std::move(operands), node->place = place;
  return node;
}

/// `program` is of that recording alone, so that no other takes the argument
/// for its own.
inline Value makeArgument(std::string name, std::shared_ptr<const void> program,
                          Place place) {
  auto node = std::make_shared<Node>();
  node->prefix = std::move(name), node->program = std::move(program);
  node->place = place;
  return node;
}

inline Value makeScalar(std::shared_ptr<const Capture> capture) {
  auto node = std::make_shared<Node>();
  node->place = capture->place, node->capture = std::move(capture);
  return node;
}

inline Value makeLoad(std::shared_ptr<const Capture> table,
                      std::vector<Value> indices, Place place) {
  auto node = std::make_shared<Node>();
  node->prefix = "attn.load %" + table->name + "[";
  node->suffix = "] : " + table->type;
  node->operands = std::move(indices);
  node->capture = std::move(table), node->place = place;
  return node;
}

inline Value makeError(std::string message, Place place) {
  auto node = std::make_shared<Node>();
  node->error = std::move(message), node->place = place;
  return node;
}

/// Whether MLIR reads `%name` and `@name` as they are.
inline bool isWord(const std::string &name) {
  auto isLetter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  bool result = !name.empty() && isLetter(name[0]);
  for (char c : name)
    result &= isLetter(c) || (c >= '0' && c <= '9');
  return result;
}

/// The text of a mod, program by program.
class Writer {
public:
  /// Adds `keyword(arguments) { ... }`, whose result, of `type`, is `result`.
  /// `program` is that of its arguments.
  void addProgram(const std::string &keyword, const std::string &arguments,
                  const std::shared_ptr<const void> &program,
                  const Value &result, const std::string &type, Place where) {
    body += " " + keyword + "(" + arguments + ") {\n";
    values.clear();
    current = program.get();
    place = where;
    write(result);
    body += "  attn.yield " + values[result.get()] + " : " + type +
            location(where) + "\n}";
  }

  /// The whole text of `@name`, or the first error.
  Result<std::string> finish(const std::string &name, Place place) const {
    if (!error.empty())
      return Error{error};
    if (!isWord(name))
      return Error{place.text() +
                   ":1: error: expects the name of a mod to be an "
                   "identifier, got '" +
                   name + "'"};
    std::string captured;
    for (const std::shared_ptr<const Capture> &capture : captures)
      captured += (captured.empty() ? "" : ", ") + ("%" + capture->name) +
                  ": " + capture->type;
    if (!captured.empty())
      captured = "(" + captured + ")";
    return "attn.mod @" + name + captured + body + location(place) + "\n";
  }

private:
  /// Operands before what uses them; without recursion, too.
  void write(const Value &result) {
    std::vector<std::pair<const Node *, size_t>> open{{result.get(), 0}};
    while (!open.empty()) {
      auto &[node, next] = open.back();
      if (values.count(node)) {
        open.pop_back();
      } else if (next < node->operands.size()) {
        const Node *operand = node->operands[next++].get();
        open.emplace_back(operand, 0);
      } else {
        const Node *done = node;
        open.pop_back();
        writeNode(*done);
      }
    }
  }

  void writeNode(const Node &node) {
    if (!node.error.empty())
      fail(node.place, node.error);
    if (node.capture)
      addCapture(node.capture);
    std::string &value = values[&node];
    if (node.isArgument()) {
      if (node.program.get() != current)
        fail(place, "expects the arguments of its own program, got '" +
                        node.prefix + "' of another one");
      value = "%" + node.prefix;
      return;
    }
    if (node.isScalar()) {
      value = "%" + node.capture->name;
      return;
    }
    value = "%" + std::to_string(count++);
    body += "  " + value + " = " + node.prefix;
    for (size_t i = 0; i < node.operands.size(); ++i)
      body += (i ? ", " : "") + values.at(node.operands[i].get());
    body += node.suffix + location(node.place) + "\n";
  }

  void addCapture(const std::shared_ptr<const Capture> &capture) {
    for (const std::shared_ptr<const Capture> &other : captures) {
      if (other == capture)
        return;
      if (other->name == capture->name)
        fail(capture->place, "expects distinct names of captures, got '" +
                                 capture->name + "' twice, the first at " +
                                 other->place.text());
    }
    if (!capture->error.empty())
      fail(capture->place, capture->error);
    captures.push_back(capture);
  }

  void fail(Place place, const std::string &message) {
    if (error.empty())
      error = place.text() + ":1: error: " + message;
  }

  static std::string location(Place place) {
    std::string text = " loc(\"";
    for (const char *c = place.file; *c; ++c) {
      if (*c == '"' || *c == '\\')
        text += '\\';
      text += *c;
    }
    return text + "\":" + std::to_string(place.line) + ":1)";
  }

  std::string body, error;
  const void *current = nullptr;                        ///< the program
  Place place{"", 0};                                   ///< that of the program
  std::unordered_map<const Node *, std::string> values; ///< of this program
  size_t count = 0;
  std::vector<std::shared_ptr<const Capture>> captures; ///< as they are met
};

/// Whether no argument of a program has that name, and MLIR reads `%name` as it
/// is.
inline bool isCaptureName(const std::string &name) {
  for (const char *taken : {"s", "b", "h", "q", "kv"})
    if (name == taken)
      return false;
  return isWord(name);
}

/// A float that reads back as itself; infinities and NaN by their bits.
inline std::string floatText(float value) {
  if (value != value)
    return "0x7FC00000";
  if (value - value != 0)
    return value > 0 ? "0x7F800000" : "0xFF800000";
  char text[32];
  std::snprintf(text, sizeof(text), "%.9e", static_cast<double>(value));
  return text;
}

} // namespace attn::recording

#endif // ATTN_API_RECORDING_H
