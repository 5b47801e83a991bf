// The attn dialect: registration, and what a schedule must satisfy.
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::attn;

#include "attn/Dialect/Attn/IR/AttnDialect.cpp.inc"

FailureOr<::attn::Role> FieldParser<::attn::Role>::parse(AsmParser &parser) {
  SMLoc place = parser.getCurrentLocation();
  std::string name;
  if (parser.parseKeywordOrString(&name))
    return failure();
  if (std::optional<::attn::Role> role = ::attn::roleNamed(name))
    return *role;
  return parser.emitError(place) << "expects a role, got '" << name << "'";
}

AsmPrinter &mlir::operator<<(AsmPrinter &printer, ::attn::Role role) {
  return printer << ::attn::toString(role);
}

#define GET_ATTRDEF_CLASSES
#include "attn/Dialect/Attn/IR/AttnAttrs.cpp.inc"

/// One condition, whose name has been read at `place`.
static FailureOr<::attn::Condition>
parseCondition(AsmParser &parser, SMLoc place, const std::string &name) {
  std::optional<::attn::Condition::Kind> kind = ::attn::conditionNamed(name);
  if (!kind)
    return parser.emitError(place) << "expects a guard, got '" << name << "'";
  ::attn::Condition condition{*kind};
  auto number = [&]() -> ParseResult {
    return parser.parseInteger(condition.numbers.emplace_back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalParen,
                                     number))
    return failure();
  if (condition.numbers.size() != ::attn::numberCount(*kind))
    return parser.emitError(place)
           << "expects " << ::attn::numberCount(*kind) << " numbers for '"
           << name << "', got " << condition.numbers.size();
  for (int64_t value : condition.numbers)
    if (value < 1 || value > INT32_MAX)
      return parser.emitError(place)
             << "expects numbers from 1 to 2147483647, got " << value;
  return condition;
}

FailureOr<::attn::Guard> FieldParser<::attn::Guard>::parse(AsmParser &parser) {
  ::attn::Guard guard;
  do {
    SMLoc place = parser.getCurrentLocation();
    std::string name;
    if (parser.parseKeywordOrString(&name))
      return failure();
    if (guard.isAlways() && name == "always")
      return guard;
    FailureOr<::attn::Condition> condition =
        parseCondition(parser, place, name);
    if (failed(condition))
      return failure();
    guard.conditions.push_back(*condition);
  } while (succeeded(parser.parseOptionalKeyword("and")));
  return guard;
}

static void print(llvm::raw_ostream &os, const ::attn::Condition &condition) {
  os << ::attn::toString(condition.kind);
  if (condition.numbers.empty())
    return;
  os << "(";
  llvm::interleaveComma(condition.numbers, os);
  os << ")";
}

AsmPrinter &mlir::operator<<(AsmPrinter &printer, const ::attn::Guard &guard) {
  if (guard.isAlways())
    return printer << "always";
  raw_ostream &os = printer.getStream();
  llvm::interleave(
      guard.conditions, os,
      [&](const ::attn::Condition &condition) { print(os, condition); },
      " and ");
  return printer;
}

SmallVector<ScheduleAttr> VariantAttr::getSchedules() const {
  SmallVector<ScheduleAttr> all;
  for (ScheduleAttr schedule : {getSchedule(), getKeySchedule(),
                                getValueSchedule(), getCaptureSchedule()})
    if (schedule)
      all.push_back(schedule);
  return all;
}

LogicalResult VariantsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayRef<VariantAttr> variants) {
  auto isLast = [](VariantAttr variant) {
    return variant.getGuard().isAlways();
  };
  if (variants.empty() || !isLast(variants.back()) ||
      llvm::any_of(variants.drop_back(), isLast)) // C1
    return emitError() << "expects the last guard, and no other, to be always";
  return success();
}

void AttnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "attn/Dialect/Attn/IR/AttnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "attn/Dialect/Attn/IR/AttnOps.cpp.inc"
      >();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t q, int64_t kv, int64_t warps,
                                   int64_t stages, bool aligned,
                                   int64_t producers, bool pingpong,
                                   bool persistent, int64_t queries, bool drain,
                                   int64_t blocks, bool eager, int64_t cache,
                                   bool keys, bool once) {
  // C1
  for (auto [name, size] : {std::pair("q", q), std::pair("kv", kv)})
    if (size < 16 || size > 1024 || size % 16 != 0)
      return emitError() << "expects '" << name
                         << "' to be a multiple of 16 from 16 to 1024, got "
                         << size;
  // C2
  if (warps < 1 || warps > 16)
    return emitError() << "expects 'warps' from 1 to 16, got " << warps;
  int64_t rows = keys ? kv : q;
  if (rows % (16 * warps) != 0)
    return emitError() << "expects '" << (keys ? "kv" : "q")
                       << "' to be a multiple of " << 16 * warps
                       << ", 16 for each of " << warps << " warps, got "
                       << rows;
  // C3
  if (stages < 1 || stages > 8)
    return emitError() << "expects 'stages' from 1 to 8, got " << stages;
  // C4
  if (producers != 0 && producers != 4)
    return emitError() << "expects 'producers' 0 or 4, got " << producers;
  if (producers && (warps % 4 != 0 || rows != 16 * warps || !aligned))
    return emitError()
           << "expects 'producers' to go with aligned memory, 'warps' "
              "a multiple of 4 and 16 rows for each, got "
           << warps << " warps and " << rows << " rows";
  if (!producers && stages > 2)
    return emitError() << "expects 'stages' 1 or 2 without producers, got "
                       << stages;
  // C5
  if (pingpong && (!producers || warps != 8))
    return emitError() << "expects 'pingpong' to go with producers and 8 warps";
  // C6
  if (!producers && (persistent || drain || queries != 1 || blocks != 1))
    return emitError()
           << "expects 'persistent', 'drain', 'queries' and 'blocks' "
              "to go with producers";
  if (queries < 1 || queries > (persistent ? 2 : 1))
    return emitError() << "expects 'queries' 1, or 2 where 'persistent', got "
                       << queries;
  if (blocks < 1 || blocks > (warps == 4 ? 2 : 1))
    return emitError() << "expects 'blocks' 1, or 2 with 4 warps, got "
                       << blocks;
  // C7
  if (eager && queries != 2)
    return emitError() << "expects 'eager' to go with 2 'queries'";
  // C8
  if (cache < 1 || cache > INT32_MAX)
    return emitError() << "expects 'cache' from 1 to 2147483647 bytes, got "
                       << cache;
  // C9
  if (once && !(keys && producers))
    return emitError() << "expects 'once' to go with 'keys' and producers";
  return success();
}
