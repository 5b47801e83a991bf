// Gives every name a place: rows of the register file, predicates, parameters,
// shared variables, labels.
#include "Decoder.h"

#include <algorithm>
#include <cstring>

using namespace attn::ptx;

unsigned attn::ptx::bytesOf(const std::string &type) {
  if (type == "f16x2" || type == "bf16x2" || type == "tf32")
    return 4;
  if (type.size() < 2 || !std::strchr("subf", type[0]))
    return 0;
  size_t digits = type.find_first_of("0123456789");
  if (digits == std::string::npos || digits > 2)
    return 0;
  int bits = std::atoi(type.c_str() + digits);
  return bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128
             ? unsigned(bits / 8)
             : 0;
}

uint64_t attn::ptx::addressOf(Warp &warp, const Operand &address, int lane) {
  uint64_t base = 0;
  if (address.parameter)
    base = reinterpret_cast<uintptr_t>(warp.block.parameters.data()) +
           warp.block.parameterBase;
  else if (!address.parts.empty() && address.parts[0].kind == Operand::Row)
    base = address.parts[0].bytes == 8
               ? warp.lanes<uint64_t>(address.parts[0])[lane]
               : warp.lanes<uint32_t>(address.parts[0])[lane];
  return base + uint64_t(address.offset);
}

void Decoder::split() {
  size_t start = 0;
  for (size_t dot;
       (dot = statement.opcode.find('.', start)) != std::string::npos;
       start = dot + 1)
    parts.push_back(statement.opcode.substr(start, dot - start));
  parts.push_back(statement.opcode.substr(start));
}

bool Decoder::has(const std::string &part) const {
  return std::find(parts.begin() + 1, parts.end(), part) != parts.end();
}

void Decoder::unknown() const {
  throw Fault("PTX line " + std::to_string(statement.line) +
              ": the machine has no '" + statement.opcode + "'");
}

const Argument &Decoder::argument(size_t i) const {
  if (i >= statement.arguments.size())
    throw Fault("PTX line " + std::to_string(statement.line) + ": '" +
                statement.opcode + "' expects more arguments");
  return statement.arguments[i];
}

int64_t Decoder::integer(size_t i) const {
  if (argument(i).kind != Argument::Integer)
    throw Fault("PTX line " + std::to_string(statement.line) +
                ": expects an immediate");
  return argument(i).value;
}

uint32_t Decoder::rowOf(const std::string &key, unsigned bytes) {
  auto [found, isNew] = code.rows.try_emplace(key, code.fileBytes);
  if (isNew)
    code.fileBytes += std::max(bytes * kLanes, 64u);
  return found->second;
}

Operand Decoder::constant(int64_t value, unsigned bytes) {
  Operand operand;
  operand.kind = Operand::Row;
  operand.bytes = bytes;
  size_t before = code.rows.size();
  operand.row =
      rowOf("=" + std::to_string(value) + ":" + std::to_string(bytes), bytes);
  if (code.rows.size() != before) {
    std::vector<char> row(bytes * kLanes);
    for (int lane = 0; lane < kLanes; ++lane)
      std::memcpy(row.data() + lane * bytes, &value, bytes);
    code.constants.emplace_back(operand.row, std::move(row));
  }
  return operand;
}

Operand Decoder::sink(unsigned bytes) {
  Operand operand;
  operand.kind = Operand::Row;
  operand.bytes = bytes;
  operand.row = rowOf("_:" + std::to_string(bytes), bytes);
  return operand;
}

Operand Decoder::resolveName(const Argument &argument, unsigned bytes) {
  const std::string &name = argument.name;
  for (int s = statement.scope; s >= 0; s = code.kernel.scopes[s].parent) {
    const Scope &scope = code.kernel.scopes[s];
    int width = 0;
    if (auto found = scope.registers.find(name); found != scope.registers.end())
      width = found->second;
    size_t digits = name.find_last_not_of("0123456789") + 1;
    if (auto found = scope.families.find(name.substr(0, digits));
        found != scope.families.end() && digits < name.size())
      width = found->second;
    if (!width)
      continue;
    Operand operand;
    std::string key = std::to_string(s) + name;
    if (width == 1) {
      operand.kind = Operand::Predicate;
      operand.negated = argument.negated;
      auto [at, isNew] =
          code.predicateNumbers.try_emplace(key, code.predicates);
      code.predicates += isNew;
      operand.row = at->second;
    } else {
      operand.kind = Operand::Row;
      operand.bytes = unsigned(width) / 8;
      operand.row = rowOf(key, operand.bytes);
    }
    return operand;
  }
  for (const char *special : {"%tid.", "%ntid.", "%ctaid.", "%nctaid.",
                              "%laneid", "%warpid", "%smid"})
    if (name.rfind(special, 0) == 0) {
      Operand operand;
      operand.kind = Operand::Row;
      operand.bytes = 4;
      operand.row = code.specials[name] = rowOf(name, 4);
      return operand;
    }
  if (auto found = code.kernel.shared.find(name);
      found != code.kernel.shared.end())
    return constant(kSharedBase + found->second.offset, bytes ? bytes : 8);
  if (auto found = code.kernel.parameters.find(name);
      found != code.kernel.parameters.end()) {
    Operand operand;
    operand.kind = Operand::Address;
    operand.parameter = true;
    operand.offset = found->second.offset;
    return operand;
  }
  throw Fault("PTX line " + std::to_string(statement.line) +
              ": unknown name '" + name + "'");
}

Operand Decoder::resolve(const Argument &argument, unsigned bytes) {
  switch (argument.kind) {
  case Argument::Name:
    return resolveName(argument, bytes);
  case Argument::Integer:
    return constant(argument.value, bytes ? bytes : 8);
  case Argument::Float:
    return constant(argument.value, unsigned(argument.floatBytes));
  case Argument::Vector: {
    Operand operand;
    operand.kind = Operand::Vector;
    for (const Argument &part : argument.parts)
      operand.parts.push_back(part.name == "_" && bytes ? sink(bytes)
                                                        : resolve(part, bytes));
    return operand;
  }
  case Argument::Address: {
    Operand operand;
    operand.kind = Operand::Address;
    operand.offset = argument.value;
    for (const Argument &part : argument.parts) {
      Operand base = resolve(part, 8);
      if (base.kind == Operand::Address) {
        operand.parameter = true;
        operand.offset += base.offset;
        base = Operand();
      }
      operand.parts.push_back(base);
    }
    return operand;
  }
  case Argument::Pair:
    break;
  }
  unknown();
}

void Decoder::value(size_t i, unsigned bytes) {
  Operand operand = resolve(argument(i), bytes);
  if (operand.kind != Operand::Row || operand.bytes != bytes)
    throw Fault("PTX line " + std::to_string(statement.line) + ": '" +
                statement.opcode + "' expects " + std::to_string(bytes * 8) +
                " bits as argument " + std::to_string(i));
  instruction.operands.push_back(std::move(operand));
}

void Decoder::any(size_t i) {
  instruction.operands.push_back(resolve(argument(i), 0));
}

void Decoder::predicate(size_t i) {
  Operand operand;
  if (argument(i).kind == Argument::Integer) {
    // A constant predicate is a register that nobody writes.
    operand.kind = Operand::Predicate;
    operand.negated = argument(i).value != 0;
    auto [at, isNew] = code.predicateNumbers.try_emplace("=0", code.predicates);
    code.predicates += isNew;
    operand.row = at->second;
  } else {
    operand = resolve(argument(i), 0);
  }
  if (operand.kind != Operand::Predicate)
    throw Fault("PTX line " + std::to_string(statement.line) +
                ": expects a predicate");
  instruction.operands.push_back(std::move(operand));
}

void Decoder::address(size_t i) {
  Operand operand = resolve(argument(i), 8);
  if (operand.kind != Operand::Address)
    throw Fault("PTX line " + std::to_string(statement.line) +
                ": expects an address");
  instruction.operands.push_back(std::move(operand));
}

void Decoder::vector(size_t i, unsigned bytes) {
  Operand operand = resolve(argument(i), bytes);
  if (operand.kind != Operand::Vector) {
    Operand all;
    all.kind = Operand::Vector;
    all.parts.push_back(std::move(operand));
    operand = std::move(all);
  }
  for (const Operand &part : operand.parts)
    if (part.kind != Operand::Row || (bytes && part.bytes != bytes))
      throw Fault("PTX line " + std::to_string(statement.line) +
                  ": a register of another width in a vector");
  instruction.operands.push_back(std::move(operand));
}

void Decoder::pair(size_t i, unsigned bytes) {
  const Argument &both = argument(i);
  bool two = both.kind == Argument::Pair;
  const Argument &first = two ? both.parts[0] : both;
  // `_` takes a result that nobody wants.
  Operand none;
  instruction.operands.push_back(first.name == "_" ? none
                                                   : resolve(first, bytes));
  instruction.operands.push_back(
      two && both.parts[1].name != "_" ? resolve(both.parts[1], 0) : none);
}

void Decoder::branchTo(size_t i) {
  for (int s = statement.scope; s >= 0; s = code.kernel.scopes[s].parent) {
    const auto &labels = code.kernel.scopes[s].labels;
    if (auto found = labels.find(argument(i).name); found != labels.end()) {
      instruction.target = uint32_t(found->second);
      return;
    }
  }
  throw Fault("PTX line " + std::to_string(statement.line) +
              ": unknown label '" + argument(i).name + "'");
}

void Decoder::collective(int i) {
  instruction.collective = true;
  if (i >= 0 && argument(i).kind == Argument::Integer)
    instruction.members = Mask(argument(i).value);
}

static void branch(Warp &warp, const Instruction &i, Mask mask) {
  Group &group = warp.groups[warp.current];
  if (mask == group.mask) {
    group.at = i.target;
    return;
  }
  group.mask &= ~mask;
  Group taken;
  taken.mask = mask;
  taken.at = i.target;
  warp.groups.push_back(taken);
}

static void leave(Warp &warp, const Instruction &, Mask mask) {
  warp.groups[warp.current].mask &= ~mask;
}

static void trap(Warp &, const Instruction &, Mask) { throw Fault("trap"); }

static void nothing(Warp &, const Instruction &, Mask) {}

static void setRegisters(Warp &warp, const Instruction &instruction, Mask) {
  warp.registers = instruction.values[0];
}

/// A clock that moves on by 0.1 ms each time that somebody looks at it.
static void readTimer(Warp &warp, const Instruction &instruction, Mask mask) {
  static uint64_t nanoseconds = 0;
  nanoseconds += 100000;
  uint64_t *values = warp.lanes<uint64_t>(instruction.operands[0]);
  forLanes(mask, [&](int lane) { values[lane] = nanoseconds; });
}

static bool readsTimer(const Decoder &d) {
  return d.name() == "mov" && d.type() == "u64" && d.arguments() == 2 &&
         d.argument(1).kind == Argument::Name &&
         d.argument(1).name == "%globaltimer";
}

static Handler decodeControl(Decoder &d) {
  const std::string &name = d.name();
  if (readsTimer(d)) {
    d.value(0, 8);
    return readTimer;
  }
  if (name == "bra") {
    d.branchTo(0);
    return branch;
  }
  if (name == "ret" || name == "exit")
    return leave;
  if (name == "trap")
    return trap;
  // They order what this machine does in order anyway; the copy engine's late
  // reads and writes are what its own waits are checked by.
  if (name == "fence" || name == "membar" || name == "prefetch" ||
      name == "griddepcontrol" || name == "nanosleep")
    return nothing;
  if (name == "setmaxnreg") {
    d.instruction.values[0] = d.statement.arguments.at(0).value;
    return setRegisters;
  }
  return nullptr;
}

std::unique_ptr<Code> attn::ptx::decode(Kernel kernel) {
  auto code = std::make_unique<Code>();
  code->kernel = std::move(kernel);
  for (const Statement &statement : code->kernel.statements) {
    Instruction instruction;
    instruction.statement = &statement;
    Decoder d(*code, statement, instruction);
    d.split();
    if (!statement.guard.empty()) {
      Argument guard;
      guard.name = statement.guard;
      Statement only = statement;
      only.arguments = {guard};
      Decoder(*code, only, instruction).predicate(0);
      instruction.guard = int(instruction.operands[0].row);
      instruction.guardNegated = statement.guardNegated;
      instruction.operands.clear();
    }
    for (auto family : {decodeControl, decodeArithmetic, decodeFloat,
                        decodeConversion, decodeMemory, decodeCollective,
                        decodeCopy, decodeMatrix, decodeWarpGroupProduct})
      if (!instruction.run)
        instruction.run = family(d);
    if (!instruction.run)
      d.unknown();
    code->instructions.push_back(std::move(instruction));
  }
  return code;
}
