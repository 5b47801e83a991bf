// The attn dialect: registration, and roles and guards as text.
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

AsmPrinter &mlir::operator<<(AsmPrinter &printer, const ::attn::Guard &guard) {
  return printer << ::attn::toString(guard);
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
