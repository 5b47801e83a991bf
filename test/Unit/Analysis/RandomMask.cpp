// See RandomMask.h.
#include "RandomMask.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace attn::test;

namespace {

union Number {
  bool b;
  int32_t i;
  int64_t l;
  float f;
};

using Operands = const Number *;

/// One kind of node: its type, what its operands are, how often it is drawn.
struct Operation {
  const char *name; ///< in MLIR, or a word for toMod
  MaskType type;
  std::vector<MaskType> operands;
  int weight;
  int32_t (*constant)(std::mt19937 &); ///< null: it has none
};

int32_t pick(std::mt19937 &random, std::initializer_list<int32_t> from) {
  return *(from.begin() + random() % from.size());
}
int32_t literal(std::mt19937 &random) {
  switch (random() % 8) {
  case 0:
    return pick(random, {INT32_MAX, INT32_MIN, INT32_MAX - 20, INT32_MIN + 20,
                         1 << 30, -(1 << 30)});
  case 1:
    return 0;
  default:
    return static_cast<int32_t>(random() % 61) - 20;
  }
}
int32_t divisor(std::mt19937 &random) {
  return pick(random, {2, 3, 4, 7, 8, 16, -3, 0, -1});
}
int32_t shift(std::mt19937 &random) {
  return random() % 8 ? random() % 6 : pick(random, {31, 32, 33, -1});
}
int32_t longDivisor(std::mt19937 &random) {
  return pick(random, {2, 3, 4, 7, 8, 16, -3});
}
int32_t longShift(std::mt19937 &random) { return random() % 6; }
int32_t bits(std::mt19937 &random) { return pick(random, {1, 3, 7, 15, 10}); }
int32_t predicate(std::mt19937 &random) { return random() % 10; }
int32_t floatPredicate(std::mt19937 &random) { return random() % 12; }
int32_t floatLiteral(std::mt19937 &random) {
  return static_cast<int32_t>(random() % 41) - 20; // in quarters
}

constexpr MaskType B = MaskType::Bool, I = MaskType::Int, L = MaskType::Long,
                   F = MaskType::Float;

const std::vector<Operation> operations = {
    {"true", B, {}, 1, nullptr},
    {"cmpi", B, {I, I}, 30, predicate},
    {"cmpf", B, {F, F}, 5, floatPredicate},
    {"cmpi", B, {L, L}, 8, predicate},
    {"cmpi8", B, {}, 3, predicate}, // of the bytes at q and kv
    {"flag_q", B, {}, 2, nullptr},
    {"flag_kv", B, {}, 2, nullptr},
    {"andi", B, {B, B}, 12, nullptr},
    {"ori", B, {B, B}, 12, nullptr},
    {"not", B, {B}, 6, nullptr},
    {"xori", B, {B, B}, 2, nullptr},
    {"select", B, {B, B, B}, 3, nullptr},
    {"if", B, {B, B, B}, 3, nullptr},
    {"q", I, {}, 30, nullptr},
    {"kv", I, {}, 30, nullptr},
    {"b", I, {}, 1, nullptr},
    {"h", I, {}, 1, nullptr},
    {"scalar", I, {}, 3, nullptr},
    {"literal", I, {}, 20, literal},
    {"load_q", I, {}, 5, nullptr},
    {"load_kv", I, {}, 5, nullptr},
    {"load", I, {I}, 2, nullptr},  // clamped to the table
    {"byte_q", I, {}, 2, nullptr}, // extended with a sign
    {"byte_kv", I, {}, 2, nullptr},
    {"unsigned_byte_q", I, {}, 2, nullptr},
    {"unsigned_byte_kv", I, {}, 2, nullptr},
    {"short_q", I, {}, 2, nullptr},
    {"short_kv", I, {}, 2, nullptr},
    {"low_byte", I, {I}, 1, nullptr}, // through i8 and back
    {"trunci", I, {L}, 3, nullptr},
    {"addi", I, {I, I}, 12, nullptr},
    {"subi", I, {I, I}, 12, nullptr},
    {"muli", I, {I, I}, 3, nullptr},
    {"minsi", I, {I, I}, 3, nullptr},
    {"maxsi", I, {I, I}, 3, nullptr},
    {"absi", I, {I}, 2, nullptr},
    {"select", I, {B, I, I}, 3, nullptr},
    {"if", I, {B, I, I}, 2, nullptr},
    {"divsi", I, {I}, 3, divisor},
    {"floordivsi", I, {I}, 2, divisor},
    {"remsi", I, {I}, 3, divisor},
    {"divui", I, {I}, 2, divisor},
    {"remui", I, {I}, 2, divisor},
    {"shrsi", I, {I}, 2, shift},
    {"shli", I, {I}, 2, shift},
    {"andi", I, {I}, 3, bits},
    {"xori", I, {I, I}, 1, nullptr},
    {"shrui", I, {I}, 1, shift},
    // By what is not known: docs/Mods.md says what is not defined elsewhere.
    {"divsi2", I, {I, I}, 1, nullptr},
    {"floordivsi2", I, {I, I}, 1, nullptr},
    {"ceildivsi2", I, {I, I}, 1, nullptr},
    {"remsi2", I, {I, I}, 2, nullptr},
    {"divui2", I, {I, I}, 1, nullptr},
    {"remui2", I, {I, I}, 2, nullptr},
    {"shrsi2", I, {I, I}, 1, nullptr},
    {"shrui2", I, {I, I}, 1, nullptr},
    {"shli2", I, {I, I}, 1, nullptr},
    {"fptosi", I, {F}, 3, nullptr},
    {"fptoui", I, {F}, 1, nullptr},
    {"guarded_div", I, {I, I}, 2, nullptr}, // in a branch
    {"extui", I, {B}, 1, nullptr},
    {"long_q", L, {}, 10, nullptr},
    {"long_kv", L, {}, 10, nullptr},
    {"long_scalar", L, {}, 4, nullptr},
    {"extsi", L, {I}, 16, nullptr},
    {"extui", L, {I}, 4, nullptr},
    {"addi", L, {L, L}, 8, nullptr},
    {"subi", L, {L, L}, 8, nullptr},
    {"muli", L, {L, L}, 2, nullptr},
    {"minsi", L, {L, L}, 2, nullptr},
    {"maxsi", L, {L, L}, 2, nullptr},
    {"absi", L, {L}, 1, nullptr},
    {"select", L, {B, L, L}, 2, nullptr},
    {"divsi", L, {L}, 2, longDivisor},
    {"divui", L, {L}, 2, longDivisor},
    {"remui", L, {L}, 2, longDivisor},
    {"shli", L, {L}, 2, longShift},
    {"shrui", L, {L}, 2, longShift},
    {"andi", L, {L}, 2, bits},
    {"sitofp", F, {I}, 10, nullptr},
    {"sitofp", F, {L}, 2, nullptr},
    {"float", F, {}, 5, floatLiteral},
    {"addf", F, {F, F}, 3, nullptr},
    {"subf", F, {F, F}, 3, nullptr},
    {"mulf", F, {F, F}, 3, nullptr},
    {"divf", F, {F, F}, 1, nullptr},
    {"absf", F, {F}, 1, nullptr},
    {"negf", F, {F}, 1, nullptr},
    {"maximumf", F, {F, F}, 1, nullptr},
    {"minnumf", F, {F, F}, 1, nullptr},
    {"select", F, {B, F, F}, 1, nullptr},
};

const char *const predicates[] = {"eq",  "ne",  "slt", "sle", "sgt",
                                  "sge", "ult", "ule", "ugt", "uge"};
const char *const floatPredicates[] = {"oeq", "ogt", "oge", "olt",
                                       "ole", "one", "ueq", "ugt",
                                       "uge", "ult", "ule", "une"};

const Operation &operationOf(const MaskTree &tree) {
  return operations[tree->operation];
}
bool is(const MaskTree &tree, const char *name) {
  return !std::strcmp(operationOf(tree).name, name);
}

MaskTree randomTree(std::mt19937 &random, MaskType type, int size) {
  int total = 0;
  auto fits = [&](const Operation &op) {
    return op.type == type &&
           (size > 1 || op.operands.empty() ||
            (type != I && type != L && op.operands[0] != type));
  };
  for (const Operation &op : operations)
    total += fits(op) ? op.weight : 0;
  int left = static_cast<int>(random() % total);
  size_t chosen = 0;
  for (;; ++chosen)
    if (fits(operations[chosen]) && (left -= operations[chosen].weight) < 0)
      break;
  const Operation &op = operations[chosen];
  MaskNode node;
  node.operation = chosen;
  if (op.constant)
    node.constant = op.constant(random);
  for (MaskType operand : op.operands)
    node.operands.push_back(randomTree(
        random, operand, (size - 1) / static_cast<int>(op.operands.size())));
  return std::make_shared<const MaskNode>(node);
}

//===--- text -------------------------------------------------------------===//

class Writer {
public:
  std::string write(const MaskTree &tree) {
    const Operation &op = operationOf(tree);
    auto named = [&](const char *name) { return !std::strcmp(op.name, name); };
    if (named("if"))
      return writeIf(tree);
    for (const char *leaf : {"q", "kv", "b", "h", "scalar"})
      if (named(leaf))
        return std::string("%") + leaf;
    if (named("long_scalar"))
      return "%long_scalar";
    if (std::string loaded = writeLoad(op.name); !loaded.empty())
      return loaded;
    std::string constant = std::to_string(tree->constant);
    if (named("true"))
      return define("arith.constant true");
    if (named("literal"))
      return define("arith.constant " + constant + " : i32");
    if (named("float"))
      return define("arith.constant " + std::to_string(tree->constant * 0.25) +
                    " : f32");
    if (named("load_q"))
      return define("attn.load %table[%q] : tensor<?xi32>");
    if (named("load_kv"))
      return define("attn.load %table[%kv] : tensor<?xi32>");
    std::vector<std::string> in;
    for (const MaskTree &operand : tree->operands)
      in.push_back(write(operand));
    std::string type = spelled(op.type);
    std::string from = spelled(op.operands.empty() ? I : op.operands[0]);
    if (named("load")) // An index that is an argument is not clamped.
      return define("attn.load %table[" +
                    define("arith.addi " + in[0] + ", %zero : i32") +
                    "] : tensor<?xi32>");
    if (named("cmpi"))
      return define("arith.cmpi " + std::string(predicates[tree->constant]) +
                    ", " + in[0] + ", " + in[1] + " : " + from);
    if (named("cmpi8"))
      return define("arith.cmpi " + std::string(predicates[tree->constant]) +
                    ", " + load("bytes", "q", "i8") + ", " +
                    load("bytes", "kv", "i8") + " : i8");
    if (named("low_byte"))
      return define("arith.extsi " +
                    define("arith.trunci " + in[0] + " : i32 to i8") +
                    " : i8 to i32");
    if (named("cmpf"))
      return define("arith.cmpf " +
                    std::string(floatPredicates[tree->constant]) + ", " +
                    in[0] + ", " + in[1] + " : f32");
    if (named("not"))
      return define("arith.xori " + in[0] + ", %true : i1");
    if (named("select"))
      return define("arith.select " + in[0] + ", " + in[1] + ", " + in[2] +
                    " : " + type);
    if (named("extui") || named("extsi") || named("trunci") || named("sitofp"))
      return define("arith." + std::string(op.name) + " " + in[0] + " : " +
                    from + " to " + type);
    if (named("fptosi") || named("fptoui"))
      return define(std::string("arith.") + op.name + " " + in[0] +
                    " : f32 to i32");
    if (named("guarded_div"))
      return writeGuardedDivision(in[0], in[1]);
    if (op.constant)
      in.push_back(define("arith.constant " + constant + " : " + type));
    bool isMath = named("absi") || named("absf");
    std::string text = (isMath ? "math." : "arith.") + std::string(op.name);
    if (text.back() == '2')
      text.pop_back();
    for (size_t i = 0; i < in.size(); ++i)
      text += (i ? ", " : " ") + in[i];
    return define(text + " : " + type);
  }

  std::string text;

private:
  static const char *spelled(MaskType type) {
    return type == B ? "i1" : type == I ? "i32" : type == L ? "i64" : "f32";
  }

  std::string load(const std::string &table, const std::string &at,
                   const std::string &type) {
    return define("attn.load %" + table + "[%" + at + "] : tensor<?x" + type +
                  ">");
  }

  /// What `name` reads from a table; empty if it does not.
  std::string writeLoad(const std::string &name) {
    size_t end = name.rfind('_');
    if (end == std::string::npos)
      return "";
    std::string what = name.substr(0, end), at = name.substr(end + 1);
    auto extended = [&](const char *how, const char *table, const char *type) {
      return define("arith." + std::string(how) + " " + load(table, at, type) +
                    " : " + type + " to i32");
    };
    if (what == "flag")
      return load("flags", at, "i1");
    if (what == "long")
      return load("longs", at, "i64");
    if (what == "byte")
      return extended("extsi", "bytes", "i8");
    if (what == "unsigned_byte")
      return extended("extui", "bytes", "i8");
    if (what == "short")
      return extended("extsi", "shorts", "i16");
    return "";
  }

  std::string define(const std::string &operation) {
    std::string name = "%v" + std::to_string(count++);
    text += "    " + name + " = " + operation + "\n";
    return name;
  }

  std::string writeIf(const MaskTree &tree) {
    std::string type = operationOf(tree).type == B ? "i1" : "i32";
    std::string condition = write(tree->operands[0]);
    std::string name = "%v" + std::to_string(count++);
    text += "    " + name + " = scf.if " + condition + " -> " + type + " {\n";
    text += "    scf.yield " + write(tree->operands[1]) + " : " + type + "\n";
    text.insert(text.size(), "    } else {\n");
    std::string other = write(tree->operands[2]);
    text += "    scf.yield " + other + " : " + type + "\n    }\n";
    return name;
  }

  /// x / y where y is neither 0 nor -1.
  std::string writeGuardedDivision(const std::string &x, const std::string &y) {
    std::string next = define("arith.addi " + y + ", %one : i32");
    std::string defined = define("arith.cmpi ugt, " + next + ", %one : i32");
    std::string name = "%v" + std::to_string(count++);
    text += "    " + name + " = scf.if " + defined + " -> i32 {\n";
    std::string quotient = define("arith.divsi " + x + ", " + y + " : i32");
    text += "    scf.yield " + quotient + " : i32\n    } else {\n" +
            "    scf.yield %zero : i32\n    }\n";
    return name;
  }

  int count = 0;
};

//===--- values -----------------------------------------------------------===//

struct Position {
  const MaskInputs &inputs;
  int32_t b, h, q, kv;
};

int64_t divided(int64_t x, int64_t y) { return y == 0 ? 0 : x / y; }
int64_t rest(int64_t x, int64_t y) { return y == 0 ? x : x % y; }

/// The float's nearest integer of a range.
int64_t saturated(float x, int64_t least, int64_t largest) {
  double whole = std::trunc(static_cast<double>(x));
  if (std::isnan(whole))
    return 0;
  return static_cast<int64_t>(
      std::fmax(static_cast<double>(least),
                std::fmin(static_cast<double>(largest), whole)));
}

int32_t wrap(int64_t value) {
  return static_cast<int32_t>(static_cast<uint32_t>(value));
}

/// Extended by their signs, narrower integers keep both orders.
bool compare(int32_t predicate, int64_t x, int64_t y) {
  auto ux = static_cast<uint64_t>(x), uy = static_cast<uint64_t>(y);
  const bool results[] = {
      x == y,  x != y, x<y, x <= y, x> y, x >= y, ux<uy, ux <= uy, ux> uy,
      ux >= uy};
  return results[predicate];
}

bool compare(int32_t predicate, float x, float y) {
  bool unordered = std::isnan(x) || std::isnan(y);
  const bool results[] = {x == y, x > y,  x >= y,
                          x < y,  x <= y, !unordered && x != y};
  return predicate < 6 ? results[predicate]
                       : unordered || results[predicate - 6];
}

Number value(const MaskTree &tree, const Position &at);

Number ofBool(const MaskTree &tree, const Position &at) {
  auto operand = [&](size_t i) { return value(tree->operands[i], at); };
  Number result{};
  if (is(tree, "true"))
    result.b = true;
  else if (is(tree, "cmpi") && operationOf(tree).operands[0] == L)
    result.b = compare(tree->constant, operand(0).l, operand(1).l);
  else if (is(tree, "cmpi"))
    result.b =
        compare(tree->constant, int64_t(operand(0).i), int64_t(operand(1).i));
  else if (is(tree, "cmpi8"))
    result.b = compare(tree->constant, int64_t(at.inputs.bytes[at.q]),
                       int64_t(at.inputs.bytes[at.kv]));
  else if (is(tree, "flag_q"))
    result.b = at.inputs.flags[at.q];
  else if (is(tree, "flag_kv"))
    result.b = at.inputs.flags[at.kv];
  else if (is(tree, "cmpf"))
    result.b = compare(tree->constant, operand(0).f, operand(1).f);
  else if (is(tree, "andi"))
    result.b = operand(0).b && operand(1).b;
  else if (is(tree, "ori"))
    result.b = operand(0).b || operand(1).b;
  else if (is(tree, "not"))
    result.b = !operand(0).b;
  else if (is(tree, "xori"))
    result.b = operand(0).b != operand(1).b;
  else // select, if
    result.b = operand(0).b ? operand(1).b : operand(2).b;
  return result;
}

Number ofFloat(const MaskTree &tree, const Position &at) {
  auto operand = [&](size_t i) { return value(tree->operands[i], at); };
  Number result{};
  float nan = std::nanf("");
  if (is(tree, "sitofp") && operationOf(tree).operands[0] == L)
    result.f = static_cast<float>(operand(0).l);
  else if (is(tree, "sitofp"))
    result.f = static_cast<float>(operand(0).i);
  else if (is(tree, "float"))
    result.f = tree->constant * 0.25f;
  else if (is(tree, "select"))
    result.f = operand(0).b ? operand(1).f : operand(2).f;
  else {
    float x = operand(0).f, y = tree->operands.size() > 1 ? operand(1).f : 0;
    if (is(tree, "addf"))
      result.f = x + y;
    else if (is(tree, "subf"))
      result.f = x - y;
    else if (is(tree, "mulf"))
      result.f = x * y;
    else if (is(tree, "divf"))
      result.f = x / y;
    else if (is(tree, "absf"))
      result.f = std::fabs(x);
    else if (is(tree, "negf"))
      result.f = -x;
    else if (is(tree, "maximumf"))
      result.f = std::isnan(x) || std::isnan(y) ? nan : std::max(x, y);
    else // minnumf
      result.f = std::isnan(x) ? y : std::isnan(y) ? x : std::min(x, y);
  }
  return result;
}

Number ofInt(const MaskTree &tree, const Position &at) {
  auto operand = [&](size_t i) -> int64_t {
    return value(tree->operands[i], at).i;
  };
  const std::vector<int32_t> &table = at.inputs.table;
  int64_t c = tree->constant;
  auto result = [&]() -> int64_t {
    if (is(tree, "q"))
      return at.q;
    if (is(tree, "kv"))
      return at.kv;
    if (is(tree, "b"))
      return at.b;
    if (is(tree, "h"))
      return at.h;
    if (is(tree, "scalar"))
      return at.inputs.scalar;
    if (is(tree, "literal"))
      return c;
    if (is(tree, "load_q"))
      return table[at.q];
    if (is(tree, "load_kv"))
      return table[at.kv];
    if (is(tree, "byte_q"))
      return at.inputs.bytes[at.q];
    if (is(tree, "byte_kv"))
      return at.inputs.bytes[at.kv];
    if (is(tree, "unsigned_byte_q"))
      return static_cast<uint8_t>(at.inputs.bytes[at.q]);
    if (is(tree, "unsigned_byte_kv"))
      return static_cast<uint8_t>(at.inputs.bytes[at.kv]);
    if (is(tree, "short_q"))
      return at.inputs.shorts[at.q];
    if (is(tree, "short_kv"))
      return at.inputs.shorts[at.kv];
    if (is(tree, "trunci"))
      return value(tree->operands[0], at).l;
    if (is(tree, "select") || is(tree, "if"))
      return value(tree->operands[0], at).b ? operand(1) : operand(2);
    if (is(tree, "extui"))
      return value(tree->operands[0], at).b;
    if (is(tree, "fptosi"))
      return saturated(value(tree->operands[0], at).f, INT32_MIN, INT32_MAX);
    if (is(tree, "fptoui"))
      return saturated(value(tree->operands[0], at).f, 0, UINT32_MAX);
    int64_t x = operand(0);
    auto ux = static_cast<uint32_t>(x);
    if (is(tree, "low_byte"))
      return static_cast<int8_t>(x);
    if (is(tree, "load")) {
      int64_t last = static_cast<int64_t>(table.size()) - 1;
      return table[std::max<int64_t>(std::min(x, last), 0)];
    }
    if (is(tree, "addi"))
      return x + operand(1);
    if (is(tree, "subi"))
      return x - operand(1);
    if (is(tree, "muli"))
      return x * operand(1);
    if (is(tree, "minsi"))
      return std::min(x, operand(1));
    if (is(tree, "maxsi"))
      return std::max(x, operand(1));
    if (is(tree, "absi"))
      return std::abs(x);
    if (is(tree, "xori"))
      return x ^ operand(1);
    if (is(tree, "guarded_div"))
      return operand(1) == -1 ? 0 : divided(x, operand(1));
    int64_t y = tree->operands.size() > 1 ? operand(1) : c;
    auto uy = static_cast<uint32_t>(y);
    bool keepsBits = uy < 32;
    auto isOneOf = [&](const char *name) {
      return !std::strncmp(operationOf(tree).name, name, std::strlen(name));
    };
    if (isOneOf("divsi"))
      return divided(x, y);
    if (isOneOf("floordivsi"))
      return divided(x, y) - (y != 0 && rest(x, y) != 0 && (x < 0) != (y < 0));
    if (isOneOf("ceildivsi"))
      return divided(x, y) + (y != 0 && rest(x, y) != 0 && (x < 0) == (y < 0));
    if (isOneOf("remsi"))
      return rest(x, y);
    if (isOneOf("divui"))
      return divided(ux, uy);
    if (isOneOf("remui"))
      return rest(ux, uy);
    if (isOneOf("shrsi"))
      return x >> (keepsBits ? uy : 31);
    if (isOneOf("shrui"))
      return keepsBits ? ux >> uy : 0;
    if (isOneOf("shli"))
      return keepsBits ? int64_t(ux << uy) : 0;
    return x & c; // andi
  };
  Number number{};
  number.i = wrap(result());
  return number;
}

Number ofLong(const MaskTree &tree, const Position &at) {
  const MaskInputs &in = at.inputs;
  auto operand = [&](size_t i) -> int64_t {
    return value(tree->operands[i], at).l;
  };
  int64_t c = tree->constant;
  auto result = [&]() -> int64_t {
    if (is(tree, "long_q"))
      return in.longs[at.q];
    if (is(tree, "long_kv"))
      return in.longs[at.kv];
    if (is(tree, "long_scalar"))
      return in.longScalar;
    if (is(tree, "extsi"))
      return value(tree->operands[0], at).i;
    if (is(tree, "extui"))
      return static_cast<uint32_t>(value(tree->operands[0], at).i);
    if (is(tree, "select"))
      return value(tree->operands[0], at).b ? operand(1) : operand(2);
    int64_t x = operand(0), y = tree->operands.size() > 1 ? operand(1) : 0;
    auto ux = static_cast<uint64_t>(x), uy = static_cast<uint64_t>(y);
    auto uc = static_cast<uint64_t>(c);
    // Unsigned arithmetic wraps.
    auto wrapped = [&]() -> uint64_t {
      if (is(tree, "addi"))
        return ux + uy;
      if (is(tree, "subi"))
        return ux - uy;
      if (is(tree, "muli"))
        return ux * uy;
      if (is(tree, "absi"))
        return x < 0 ? -ux : ux;
      if (is(tree, "divui"))
        return ux / uc;
      if (is(tree, "remui"))
        return ux % uc;
      if (is(tree, "shli"))
        return ux << c;
      return ux >> c; // shrui
    };
    if (is(tree, "minsi"))
      return std::min(x, y);
    if (is(tree, "maxsi"))
      return std::max(x, y);
    if (is(tree, "divsi"))
      return x / c;
    if (is(tree, "andi"))
      return x & c;
    return static_cast<int64_t>(wrapped());
  };
  Number number{};
  number.l = result();
  return number;
}

Number value(const MaskTree &tree, const Position &at) {
  switch (operationOf(tree).type) {
  case MaskType::Bool:
    return ofBool(tree, at);
  case MaskType::Int:
    return ofInt(tree, at);
  case MaskType::Long:
    return ofLong(tree, at);
  case MaskType::Float:
    return ofFloat(tree, at);
  }
  return {};
}

int sizeOf(const MaskTree &tree) {
  int size = 1;
  for (const MaskTree &operand : tree->operands)
    size += sizeOf(operand);
  return size;
}

} // namespace

MaskTree attn::test::randomMask(std::mt19937 &random, int size) {
  return randomTree(random, MaskType::Bool, size);
}

static const char captures[] =
    "attn.mod @mask(%table: tensor<?xi32>, %scalar: i32,\n"
    "    %bytes: tensor<?xi8>, %shorts: tensor<?xi16>,\n"
    "    %longs: tensor<?xi64>, %flags: tensor<?xi1>, %long_scalar: i64)\n";
static const char constants[] = "    %true = arith.constant true\n"
                                "    %zero = arith.constant 0 : i32\n"
                                "    %one = arith.constant 1 : i32\n";

static std::string maskProgram(const MaskTree &tree) {
  Writer writer;
  std::string result = writer.write(tree);
  return std::string("  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n") +
         constants + writer.text + "    attn.yield " + result + " : i1\n  }\n";
}

static std::string scoreProgram(const MaskTree &halves,
                                const MaskTree &raises) {
  Writer writer;
  std::string half = writer.write(halves);
  writer.text += "    %score = scf.if " + half + R"( -> f32 {
    %factor = arith.constant 0.5 : f32
    %halved = arith.mulf %s, %factor : f32
    scf.yield %halved : f32
    } else {
)";
  std::string raise = writer.write(raises);
  writer.text += R"(    %unit = arith.constant 1.0 : f32
    %raised = arith.addf %s, %unit : f32
    %negative = arith.negf %s : f32
    %other = arith.select )" +
                 raise + R"(, %raised, %negative : f32
    scf.yield %other : f32
    }
)";
  return std::string("  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) "
                     "{\n") +
         constants + writer.text + "    attn.yield %score : f32\n  }\n";
}

std::string attn::test::toMod(const MaskTree &tree) {
  return captures + maskProgram(tree);
}

std::string attn::test::toMod(const MaskTree &mask, const MaskTree &halves,
                              const MaskTree &raises) {
  return captures + scoreProgram(halves, raises) + maskProgram(mask);
}

MaskInputs attn::test::randomInputs(std::mt19937 &random, int64_t length) {
  MaskInputs inputs;
  int32_t entry = 0;
  bool isSorted = random() % 2;
  for (int64_t i = 0; i < length; ++i) {
    entry = isSorted ? entry + static_cast<int32_t>(random() % 5 == 0)
                     : static_cast<int32_t>(random() % 12);
    inputs.table.push_back(entry);
    inputs.shorts.push_back(static_cast<int16_t>(
        random() % 4 ? entry - 3 : static_cast<int>(random())));
    inputs.flags.push_back(random() % 4 != 0);
  }
  // Small numbers, or any of the type.
  bool isSmall = random() % 2, isLarge = random() % 4 == 0;
  for (int32_t small : inputs.table) {
    auto any = static_cast<int64_t>(random() | uint64_t(random()) << 32);
    inputs.bytes.push_back(static_cast<int8_t>(isSmall ? small - 4 : any));
    inputs.longs.push_back(isLarge ? any : small - 2);
  }
  inputs.longScalar =
      random() % 8 ? static_cast<int64_t>(random() % 30) - 5
                   : static_cast<int64_t>(random() | uint64_t(random()) << 32);
  inputs.scalar = random() % 8 ? static_cast<int32_t>(random() % 30) - 5
                               : INT32_MAX - static_cast<int32_t>(random() % 9);
  return inputs;
}

unsigned attn::test::fromEnvironment(const char *name, unsigned otherwise) {
  const char *text = std::getenv(name);
  return text ? static_cast<unsigned>(std::atoi(text)) : otherwise;
}

bool attn::test::evaluate(const MaskTree &tree, const MaskInputs &inputs,
                          int32_t b, int32_t h, int32_t q, int32_t kv) {
  return value(tree, {inputs, b, h, q, kv}).b;
}

std::vector<MaskTree> attn::test::smallerTrees(const MaskTree &tree) {
  std::vector<MaskTree> smaller;
  MaskType type = operationOf(tree).type;
  // One of the tree's own operands in its place.
  for (const MaskTree &operand : tree->operands)
    if (operationOf(operand).type == type)
      smaller.push_back(operand);
  if (type != MaskType::Bool && !tree->operands.empty()) {
    MaskNode leaf;
    const char *name = type == MaskType::Int    ? "literal"
                       : type == MaskType::Long ? "long_scalar"
                                                : "float";
    while (std::strcmp(operations[leaf.operation].name, name))
      ++leaf.operation;
    leaf.constant = 1;
    smaller.push_back(std::make_shared<const MaskNode>(leaf));
  }
  // The tree with a smaller operand.
  for (size_t i = 0; i < tree->operands.size(); ++i)
    for (const MaskTree &operand : smallerTrees(tree->operands[i])) {
      MaskNode node = *tree;
      node.operands[i] = operand;
      smaller.push_back(std::make_shared<const MaskNode>(node));
    }
  std::stable_sort(smaller.begin(), smaller.end(),
                   [](auto &x, auto &y) { return sizeOf(x) < sizeOf(y); });
  return smaller;
}
