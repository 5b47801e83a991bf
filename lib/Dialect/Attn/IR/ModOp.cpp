// The text of attn.mod and the rules of its programs. How a capture says where
// its data comes from is CaptureAttrs'.
#include "CaptureAttrs.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::attn;

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// Names of the arguments of programs.
static constexpr StringRef kArgNames[] = {"s", "b", "h", "q", "kv"};
static constexpr StringRef kAdjointNames[] = {"s", "g", "b", "h", "q", "kv"};

/// Those behind the captures, of the program with this number.
static ArrayRef<StringRef> argumentNames(unsigned region) {
  return region == 0   ? ArrayRef(kArgNames)
         : region == 1 ? ArrayRef(kArgNames).drop_front()
                       : ArrayRef(kAdjointNames);
}

DictionaryAttr ModOp::getCaptureAttrs(unsigned i) {
  ArrayAttr attrs = getCaptureAttrsAttr();
  return attrs ? cast<DictionaryAttr>(attrs[i]) : DictionaryAttr();
}

void ModOp::getAsmBlockArgumentNames(Region &region,
                                     OpAsmSetValueNameFn setName) {
  ArrayAttr captures = getCaptureNamesAttr();
  size_t count = captures ? captures.size() : 0;
  ArrayRef<StringRef> names = argumentNames(region.getRegionNumber());
  for (BlockArgument arg : region.getArguments()) {
    size_t i = arg.getArgNumber();
    if (i < count)
      setName(arg, cast<StringAttr>(captures[i]).getValue());
    else if (i - count < names.size())
      setName(arg, names[i - count]);
  }
}

/// `keyword(%s: f32, ...) { ... }` if it is there. The captures come first
/// among the arguments of the region.
static ParseResult parseProgram(OpAsmParser &parser, StringRef keyword,
                                ArrayRef<OpAsmParser::Argument> captures,
                                Region &region) {
  if (failed(parser.parseOptionalKeyword(keyword)))
    return success();
  SmallVector<OpAsmParser::Argument> positions;
  SMLoc start = parser.getCurrentLocation();
  if (parser.parseArgumentList(positions, OpAsmParser::Delimiter::Paren,
                               /*allowType=*/true))
    return failure();
  SmallVector<OpAsmParser::Argument> args(captures);
  llvm::append_range(args, positions);
  if (parser.parseRegion(region, args, /*enableNameShadowing=*/true))
    return failure();
  if (region.empty())
    return parser.emitError(start, "expects '")
           << keyword << "' to have a body";
  return success();
}

ParseResult ModOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr symbol;
  if (parser.parseSymbolName(symbol, getSymNameAttrName(result.name),
                             result.attributes))
    return failure();

  SmallVector<OpAsmParser::Argument> captures;
  if (parser.parseArgumentList(captures, OpAsmParser::Delimiter::OptionalParen,
                               /*allowType=*/true, /*allowAttrs=*/true))
    return failure();
  SmallVector<Attribute> names, types, attrs;
  bool hasAttrs = false;
  for (OpAsmParser::Argument &capture : captures) {
    // `%0` cannot name a block argument when it is printed.
    StringRef name = capture.ssaName.name.drop_front();
    names.push_back(builder.getStringAttr(
        llvm::isDigit(name.front()) ? "_" + name : Twine(name)));
    types.push_back(TypeAttr::get(capture.type));
    attrs.push_back(capture.attrs ? capture.attrs
                                  : builder.getDictionaryAttr({}));
    hasAttrs |= capture.attrs && !capture.attrs.empty();
  }
  result.addAttribute(getCaptureNamesAttrName(result.name),
                      builder.getArrayAttr(names));
  result.addAttribute(getCaptureTypesAttrName(result.name),
                      builder.getArrayAttr(types));
  if (hasAttrs)
    result.addAttribute(getCaptureAttrsAttrName(result.name),
                        builder.getArrayAttr(attrs));

  Region *score = result.addRegion();
  Region *mask = result.addRegion();
  Region *adjoint = result.addRegion();
  if (parseProgram(parser, "score", captures, *score) ||
      parseProgram(parser, "mask", captures, *mask) ||
      parseProgram(parser, "adjoint", captures, *adjoint))
    return failure();
  return parser.parseOptionalAttrDictWithKeyword(result.attributes);
}

void ModOp::print(OpAsmPrinter &p) {
  p << ' ';
  p.printSymbolName(getSymName());
  if (getNumCaptures() != 0) {
    p << '(';
    llvm::interleaveComma(llvm::seq(getNumCaptures()), p, [&](unsigned i) {
      p << '%' << cast<StringAttr>(getCaptureNames()[i]).getValue() << ": "
        << cast<TypeAttr>(getCaptureTypes()[i]).getValue();
      if (DictionaryAttr attrs = getCaptureAttrs(i))
        p.printOptionalAttrDict(attrs.getValue());
    });
    p << ')';
  }
  for (auto [keyword, region] :
       {std::pair("score", &getScore()), std::pair("mask", &getMask()),
        std::pair("adjoint", &getAdjoint())}) {
    if (region->empty())
      continue;
    p << ' ' << keyword << '(';
    llvm::interleaveComma(
        region->getArguments().drop_front(getNumCaptures()), p,
        [&](BlockArgument arg) { p.printRegionArgument(arg); });
    p << ") ";
    p.printRegion(*region, /*printEntryBlockArgs=*/false);
  }
  p.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getCaptureNamesAttrName(),
       getCaptureTypesAttrName(), getCaptureAttrsAttrName()});
}

//===----------------------------------------------------------------------===//
// Captures: C1
//===----------------------------------------------------------------------===//

static bool isUnsigned(Type type) {
  return getElementTypeOrSelf(type).isUnsignedInteger();
}

/// Whether `%name` reads back as it was printed.
static bool isIdentifier(StringRef name) {
  auto isPunctuation = [](char c) { return StringRef("$._-").contains(c); };
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name, [&](char c) {
           return llvm::isAlnum(c) || isPunctuation(c);
         });
}

LogicalResult ModOp::verify() {
  // C1
  size_t count = getCaptureTypes().size();
  if (getCaptureNames().size() != count)
    return emitOpError() << "expects " << count << " capture names, got "
                         << getCaptureNames().size();
  if (getCaptureAttrsAttr() && getCaptureAttrsAttr().size() != count)
    return emitOpError() << "expects " << count
                         << " dictionaries of capture attributes, got "
                         << getCaptureAttrsAttr().size();
  llvm::StringSet<> seen;
  for (unsigned i = 0; i < count; ++i) {
    StringRef name = cast<StringAttr>(getCaptureNames()[i]).getValue();
    Type type = cast<TypeAttr>(getCaptureTypes()[i]).getValue();
    if (!isIdentifier(name))
      return emitOpError()
             << "expects a capture name to be an identifier, got '" << name
             << "'";
    if (llvm::is_contained(kArgNames, name))
      return emitOpError() << "expects no capture to be named '" << name
                           << "' like an argument";
    if (!seen.insert(name).second)
      return emitOpError() << "expects distinct capture names, got '" << name
                           << "' twice";
    if (!isCaptureType(type))
      return emitOpError() << "expects capture '" << name
                           << "' to be a scalar or a tensor of "
                           << captureElements << ", got " << type
                           << (isUnsigned(type) ? ": unsigned integers are "
                                                  "captured as signless ones"
                                                : "");
    if (failed(verifyCaptureAttrs(*this, i)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Programs: C2 to C5
//===----------------------------------------------------------------------===//

/// C5: the types which an operation of a program may use.
static bool isProgramType(Type type) {
  return isCaptureElement(type) || type.isIndex();
}

/// C5: the operations that every target evaluates alike, as docs/Mods.md says.
/// An operation that a later MLIR adds is refused until it is one of them.
static bool isScalarOp(StringRef name) {
  static const llvm::StringSet<> names = {"arith.addf",
                                          "arith.addi",
                                          "arith.addui_extended",
                                          "arith.andi",
                                          "arith.bitcast",
                                          "arith.ceildivsi",
                                          "arith.ceildivui",
                                          "arith.cmpf",
                                          "arith.cmpi",
                                          "arith.constant",
                                          "arith.divf",
                                          "arith.divsi",
                                          "arith.divui",
                                          "arith.extf",
                                          "arith.extsi",
                                          "arith.extui",
                                          "arith.floordivsi",
                                          "arith.fptosi",
                                          "arith.fptoui",
                                          "arith.index_cast",
                                          "arith.index_castui",
                                          "arith.maximumf",
                                          "arith.maxnumf",
                                          "arith.maxsi",
                                          "arith.maxui",
                                          "arith.minimumf",
                                          "arith.minnumf",
                                          "arith.minsi",
                                          "arith.minui",
                                          "arith.mulf",
                                          "arith.muli",
                                          "arith.mulsi_extended",
                                          "arith.mului_extended",
                                          "arith.negf",
                                          "arith.ori",
                                          "arith.remf",
                                          "arith.remsi",
                                          "arith.remui",
                                          "arith.select",
                                          "arith.shli",
                                          "arith.shrsi",
                                          "arith.shrui",
                                          "arith.sitofp",
                                          "arith.subf",
                                          "arith.subi",
                                          "arith.truncf",
                                          "arith.trunci",
                                          "arith.uitofp",
                                          "arith.xori",
                                          "math.absf",
                                          "math.absi",
                                          "math.acos",
                                          "math.acosh",
                                          "math.asin",
                                          "math.asinh",
                                          "math.atan",
                                          "math.atan2",
                                          "math.atanh",
                                          "math.cbrt",
                                          "math.ceil",
                                          "math.clampf",
                                          "math.copysign",
                                          "math.cos",
                                          "math.cosh",
                                          "math.ctlz",
                                          "math.ctpop",
                                          "math.cttz",
                                          "math.erf",
                                          "math.erfc",
                                          "math.exp",
                                          "math.exp2",
                                          "math.expm1",
                                          "math.floor",
                                          "math.fma",
                                          "math.fpowi",
                                          "math.ipowi",
                                          "math.isfinite",
                                          "math.isinf",
                                          "math.isnan",
                                          "math.isnormal",
                                          "math.log",
                                          "math.log10",
                                          "math.log1p",
                                          "math.log2",
                                          "math.powf",
                                          "math.round",
                                          "math.roundeven",
                                          "math.rsqrt",
                                          "math.sin",
                                          "math.sincos",
                                          "math.sinh",
                                          "math.sqrt",
                                          "math.tan",
                                          "math.tanh",
                                          "math.trunc"};
  return names.contains(name);
}

/// C5, with the error at the operation that breaks it.
static LogicalResult verifyProgramOp(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (!isa<LoadOp, AccumulateOp, ApplyScoreOp, ApplyMaskOp, YieldOp>(op) &&
      name != "scf.if" && name != "scf.yield" && !isScalarOp(name)) {
    InFlightDiagnostic error = op->emitError()
                               << "'" << name
                               << "' op is not allowed in a mod: expects ";
    if (name.starts_with("arith.") || name.starts_with("math."))
      return error << "the operations of arith and math in docs/Mods.md";
    return error << "arith, math, attn.load, attn.apply_score, "
                    "attn.apply_mask and scf.if";
  }
  for (Type type : op->getResultTypes())
    if (!isProgramType(type))
      return op->emitError() << "'" << op->getName() << "' op result of type "
                             << type << " is not allowed in a mod: expects "
                             << captureElements << ", or index";
  if (auto truncation = dyn_cast<arith::TruncFOp>(op))
    if (auto mode = truncation.getRoundingmode();
        mode && *mode != arith::RoundingMode::to_nearest_even)
      return op->emitError()
             << "'arith.truncf' op in a mod expects to round with "
                "'to_nearest_even', got '"
             << arith::stringifyRoundingMode(*mode) << "'";
  return success();
}

/// C2 to C5 for one program: its arguments after the captures, and its result.
static LogicalResult verifyProgram(ModOp op, StringRef keyword, Region &region,
                                   ArrayRef<Type> positions, Type result) {
  SmallVector<Type> wanted(op.getCaptureTypes().getAsValueRange<TypeAttr>());
  llvm::append_range(wanted, positions);
  TypeRange given(region.getArgumentTypes());
  if (given != TypeRange(wanted)) {
    // The user wrote the captures once, for both programs.
    size_t captures = op.getNumCaptures();
    if (given.take_front(captures) != TypeRange(wanted).take_front(captures))
      return op.emitOpError() << "expects the " << keyword
                              << " program to begin with the captures (" // C2
                              << TypeRange(wanted).take_front(captures)
                              << "), got (" << given << ")";
    return op.emitOpError()
           << "expects the " << keyword << " program to take (" << positions
           << "), got (" << given.drop_front(captures) << ")";
  }

  WalkResult walk = region.walk<WalkOrder::PreOrder>(
      [](Operation *nested) { return WalkResult(verifyProgramOp(nested)); });
  if (walk.wasInterrupted())
    return failure();

  auto yield = cast<YieldOp>(region.front().getTerminator());
  if (yield.getResult().getType() != result)
    return yield.emitOpError()
           << "expects the " << keyword << " program to yield " << result
           << ", got " << yield.getResult().getType();
  return success();
}

LogicalResult ModOp::verifyRegions() {
  Type f32 = Float32Type::get(getContext());
  Type i32 = IntegerType::get(getContext(), 32);
  Type i1 = IntegerType::get(getContext(), 1);
  if (hasScore() && failed(verifyProgram(*this, "score", getScore(),
                                         {f32, i32, i32, i32, i32}, f32)))
    return failure(); // C3
  if (hasMask() &&
      failed(verifyProgram(*this, "mask", getMask(), {i32, i32, i32, i32}, i1)))
    return failure(); // C4
  if (hasAdjoint() &&
      failed(verifyProgram(*this, "adjoint", getAdjoint(),
                           {f32, f32, i32, i32, i32, i32}, f32)))
    return failure(); // C8
  return success();
}

//===----------------------------------------------------------------------===//
// Symbols: C6 and C7
//===----------------------------------------------------------------------===//

bool ModOp::standsAlone() {
  return !(*this)
              ->walk([](Operation *op) {
                return isa<ApplyScoreOp, ApplyMaskOp>(op)
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

/// The mods that `mod` applies itself.
static void forEachApplied(ModOp mod, function_ref<void(StringAttr)> visit) {
  mod->walk([&](Operation *op) {
    if (auto apply = dyn_cast<ApplyScoreOp>(op))
      visit(apply.getModAttr().getAttr());
    else if (auto apply = dyn_cast<ApplyMaskOp>(op))
      visit(apply.getModAttr().getAttr());
  });
}

/// C7: whether `start` can be reached from what it applies.
static bool appliesItself(ModOp start, SymbolTableCollection &symbols) {
  llvm::StringSet<> seen;
  SmallVector<ModOp> worklist{start};
  bool found = false;
  while (!worklist.empty()) {
    ModOp mod = worklist.pop_back_val();
    forEachApplied(mod, [&](StringAttr name) {
      found |= name == start.getSymNameAttr();
      auto next = symbols.lookupNearestSymbolFrom<ModOp>(start, name);
      if (next && seen.insert(name.getValue()).second)
        worklist.push_back(next);
    });
  }
  return found;
}

LogicalResult ModOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (appliesItself(*this, symbols))
    return emitOpError() << "expects mods not to apply each other in a circle";
  for (unsigned i = 0; i < getNumCaptures(); ++i) {
    if (failed(verifyCaptureSymbols(*this, i, symbols)))
      return failure();
  }
  return success();
}
