// The parts of a schedule as text: `<q = 64, kv = 64, owns_keys>`.
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace mlir;
using namespace mlir::attn;

/// The names of a part's fields, as a message lists them.
template <typename Part> static std::string namesOf(Part part) {
  std::string names;
  forEachField(part, [&](const char *name, auto &) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  });
  return names;
}

/// What follows the name of a field.
static ParseResult parseValue(AsmParser &parser, int64_t &number) {
  return failure(parser.parseEqual() || parser.parseInteger(number));
}
static ParseResult parseValue(AsmParser &, bool &flag) {
  flag = true;
  return success();
}

template <typename Part>
static ParseResult parseField(AsmParser &parser, Part &part,
                              std::set<std::string> &seen) {
  SMLoc place = parser.getCurrentLocation();
  std::string word;
  if (parser.parseKeywordOrString(&word))
    return failure();
  std::optional<ParseResult> parsed;
  forEachField(part, [&](const char *name, auto &field) {
    if (word == name)
      parsed = parseValue(parser, field);
  });
  if (!parsed)
    return parser.emitError(place)
           << "expects one of " << namesOf(part) << ", got '" << word << "'";
  if (!seen.insert(word).second)
    return parser.emitError(place) << "expects '" << word << "' once";
  return *parsed;
}

template <typename Part> static FailureOr<Part> parsePart(AsmParser &parser) {
  Part part;
  std::set<std::string> seen;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, [&] {
        return parseField(parser, part, seen);
      }))
    return failure();
  return part;
}

static void printValue(raw_ostream &os, int64_t number) {
  os << " = " << number;
}
static void printValue(raw_ostream &, bool) {}

template <typename Part>
static AsmPrinter &printPart(AsmPrinter &printer, Part part) {
  raw_ostream &os = printer.getStream();
  std::vector<int64_t> usual = valuesOf(Part());
  size_t next = 0;
  llvm::ListSeparator separator;
  os << "<";
  forEachField(part, [&](const char *name, auto &field) {
    if (field == usual[next++])
      return;
    os << separator << name;
    printValue(os, field);
  });
  os << ">";
  return printer;
}

FailureOr<Tiling> FieldParser<Tiling>::parse(AsmParser &parser) {
  return parsePart<Tiling>(parser);
}
FailureOr<WarpRoles> FieldParser<WarpRoles>::parse(AsmParser &parser) {
  return parsePart<WarpRoles>(parser);
}
FailureOr<CopyPipeline> FieldParser<CopyPipeline>::parse(AsmParser &parser) {
  return parsePart<CopyPipeline>(parser);
}

AsmPrinter &mlir::attn::operator<<(AsmPrinter &printer, const Tiling &part) {
  return printPart(printer, part);
}
AsmPrinter &mlir::attn::operator<<(AsmPrinter &printer, const WarpRoles &part) {
  return printPart(printer, part);
}
AsmPrinter &mlir::attn::operator<<(AsmPrinter &printer,
                                   const CopyPipeline &part) {
  return printPart(printer, part);
}
