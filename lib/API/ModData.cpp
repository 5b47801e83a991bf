// Makes the captured data of a mod by running the fills and data functions of
// its file.
#include "../Launch/HostMemory.h"
#include "HostCode.h"
#include "ModImpl.h"

#include "attn/Dialect/Attn/IR/SizeExpression.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MathExtras.h"

#include <array>
#include <cstring>
#include <limits>
#include <unistd.h>

using namespace attn;

/// Errors: more bytes than this machine has, which no allocation is asked for.
static Result<void> checkBytes(const CaptureInfo &info, int64_t bytes) {
  static const int64_t most =
      int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (bytes <= most)
    return {};
  return Error{"expects capture '" + info.name + "' of at most " +
               std::to_string(most) + " bytes, got " + std::to_string(bytes)};
}

/// In the order of sizeNames.
static std::array<int64_t, 6> numbersOf(const ProblemSizes &sizes) {
  return {sizes.batch,   sizes.heads, sizes.kvHeads,
          sizes.queries, sizes.keys,  sizes.sequences};
}

/// The value of an expression of sizes, which the verifier has seen. `what` is
/// for the error.
static Result<int64_t> valueOf(llvm::StringRef text, const std::string &what,
                               const ProblemSizes &sizes) {
  std::string error;
  auto expression = mlir::attn::SizeExpression::parse(text, error);
  std::optional<int64_t> value;
  if (expression)
    value = expression->evaluate(numbersOf(sizes));
  if (!value)
    return Error{what + ": \"" + text.str() +
                 "\" divides by zero or leaves 64 bits for these sizes"};
  return *value;
}

/// Checks the expressions of the fills of `names`: compiled code does not.
static Result<void> checkFills(mlir::ModuleOp module,
                               const std::vector<std::string> &names,
                               const ProblemSizes &sizes) {
  Result<void> result;
  for (const std::string &name : names)
    if (auto fill = module.lookupSymbol<mlir::attn::FillOp>(name))
      fill.walk([&](mlir::attn::SizeOp size) {
        Result<int64_t> value =
            valueOf(size.getExpression(), "data '@" + name + "'", sizes);
        if (!value && result)
          result = Error{value.error()};
      });
  return result;
}

/// Compiles the functions and fills of the file, those of `names` callable.
static Result<std::shared_ptr<const HostCode>>
compileFunctions(const Mod::Impl &impl, const std::vector<std::string> &names) {
  mlir::OwningOpRef<mlir::ModuleOp> module = impl.inlined.get().clone();
  for (mlir::Operation &op :
       llvm::make_early_inc_range(module->getBody()->getOperations()))
    if (!mlir::isa<mlir::func::FuncOp, mlir::attn::FillOp>(op))
      op.erase();
  Result<void> lowered =
      impl.collect("its data functions cannot be compiled", [&] {
        mlir::PassManager loops(module->getContext());
        loops.addPass(mlir::attn::createAttnFillToLoopsPass());
        // Not every processor computes in 16 bits.
        mlir::arith::ArithEmulateUnsupportedFloatsOptions floats;
        floats.sourceTypeStrs = {"bf16", "f16"};
        loops.addPass(mlir::math::createMathExtendToSupportedTypes());
        loops.addPass(mlir::arith::createArithEmulateUnsupportedFloats(floats));
        if (mlir::failed(loops.run(*module)))
          return mlir::failure();
        for (const std::string &name : names)
          module->lookupSymbol(name)->setAttr(
              "llvm.emit_c_interface",
              mlir::UnitAttr::get(module->getContext()));
        mlir::PassManager pm(module->getContext());
        mlir::attn::buildLowerToLLVMPipeline(pm);
        return pm.run(*module);
      });
  ATTN_TRY(lowered);
  return HostCode::compile(*module, names);
}

/// The bits of `value` as an element of the capture. Errors: it does not fit.
static Result<uint64_t> bitsOf(mlir::Type type, const CaptureInfo &info,
                               int64_t value) {
  if (auto real = mlir::dyn_cast<mlir::FloatType>(type)) {
    llvm::APFloat number(real.getFloatSemantics());
    (void)number.convertFromAPInt(llvm::APInt(64, value, /*isSigned=*/true),
                                  /*IsSigned=*/true,
                                  llvm::APFloat::rmNearestTiesToEven);
    return number.bitcastToAPInt().getZExtValue();
  }
  unsigned width = type.getIntOrFloatBitWidth();
  bool fits =
      width == 1 ? value == 0 || value == 1 : llvm::isIntN(width, value);
  if (!fits)
    return Error{"expects a value of capture '" + info.name + "' that fits " +
                 toString(info.type) + ", got " + std::to_string(value)};
  return static_cast<uint64_t>(value);
}

/// A scalar from its value, or from an expression of sizes.
static Result<CaptureData> scalarData(const CaptureInfo &info, mlir::Type type,
                                      mlir::Attribute value,
                                      const ProblemSizes &sizes) {
  Result<uint64_t> bits = uint64_t(0);
  if (auto number = mlir::dyn_cast<mlir::FloatAttr>(value)) {
    bits = number.getValue().bitcastToAPInt().getZExtValue();
  } else if (auto number = mlir::dyn_cast<mlir::IntegerAttr>(value)) {
    bits = number.getValue().getZExtValue();
  } else {
    ATTN_TRY_ASSIGN(int64_t result,
                    valueOf(mlir::cast<mlir::StringAttr>(value).getValue(),
                            "capture '" + info.name + "'", sizes));
    bits = bitsOf(type, info, result);
    ATTN_TRY(bits);
  }
  CaptureData data{info.type, {}, std::vector<std::byte>(byteWidth(info.type))};
  std::memcpy(data.bytes.data(), &*bits, data.bytes.size());
  return data;
}

/// The sizes that `attn.shape` says, and their bytes; nothing for a scalar.
static Result<CaptureData> emptyTable(const CaptureInfo &info,
                                      mlir::ArrayAttr shape,
                                      const ProblemSizes &sizes) {
  CaptureData data{info.type, {}, {}};
  int64_t bytes = byteWidth(info.type);
  for (mlir::Attribute entry :
       shape ? shape.getValue() : llvm::ArrayRef<mlir::Attribute>()) {
    Result<int64_t> size = int64_t(0);
    if (auto number = mlir::dyn_cast<mlir::IntegerAttr>(entry))
      size = number.getInt();
    else
      size = valueOf(mlir::cast<mlir::StringAttr>(entry).getValue(),
                     "capture '" + info.name + "'", sizes);
    ATTN_TRY(size);
    if (*size < 0)
      return Error{"expects sizes of at least 0 for capture '" + info.name +
                   "', got " + std::to_string(*size)};
    data.sizes.push_back(*size);
    if (llvm::MulOverflow(bytes, *size, bytes))
      return Error{"expects capture '" + info.name +
                   "' of fewer than 2^63 bytes"};
  }
  ATTN_TRY(checkBytes(info, bytes));
  data.bytes.resize(bytes);
  return data;
}

/// Allocates memory and has `fill` fill it.
static Result<CaptureData> tableData(const CaptureInfo &info,
                                     mlir::ArrayAttr shape,
                                     const ProblemSizes &sizes,
                                     PackedFunction fill) {
  ATTN_TRY_ASSIGN(CaptureData data, emptyTable(info, shape, sizes));
  Descriptor table(data.bytes.data(), data.sizes);
  std::array<int64_t, 6> numbers = numbersOf(sizes);
  std::vector<void *> arguments{table.address()};
  for (int64_t &number : numbers)
    arguments.push_back(&number);
  fill(arguments.data());
  return data;
}

/// What stands for a query offset or lengths that nobody has said: none, and
/// all of the keys.
static Result<CaptureData> wholeSequences(const CaptureInfo &info,
                                          const ProblemSizes &sizes) {
  int64_t value = info.isLengths ? sizes.keys : 0;
  if (value > std::numeric_limits<int32_t>::max())
    return Error{"expects keys that '" + info.name + "' can count, got " +
                 std::to_string(value)};
  CaptureData data{info.type, {}, {}};
  if (!info.isScalar) {
    data.sizes = {sizes.batch};
    ATTN_TRY(checkBytes(info, sizes.batch * int64_t(sizeof(int32_t))));
  }
  std::vector<int32_t> values(info.isScalar ? 1 : sizes.batch,
                              static_cast<int32_t>(value));
  data.bytes.resize(values.size() * sizeof(int32_t));
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

Result<std::vector<CaptureData>>
Mod::makeCaptures(const ProblemSizes &sizes) const {
  std::lock_guard<std::mutex> lock(pimpl->mutex);
  mlir::attn::ModOp entry = pimpl->standalone();
  std::vector<std::string> names;
  for (size_t i = 0; i < pimpl->captures.size(); ++i) {
    if (pimpl->captures[i].isQueryOffset || pimpl->captures[i].isLengths)
      continue;
    mlir::DictionaryAttr attributes = entry.getCaptureAttrs(i);
    mlir::Attribute data =
        attributes ? attributes.get("attn.data") : mlir::Attribute();
    if (!data)
      return Error{"mod '@" + pimpl->name +
                   "' does not say how to make capture '" +
                   pimpl->captures[i].name + "': it has no 'attn.data'"};
    if (auto symbol = mlir::dyn_cast<mlir::FlatSymbolRefAttr>(data))
      if (!llvm::is_contained(names, symbol.getValue()))
        names.push_back(symbol.getValue().str());
  }
  ATTN_TRY(checkFills(*pimpl->inlined, names, sizes));
  std::shared_ptr<const HostCode> code;
  if (!names.empty()) {
    ATTN_TRY_ASSIGN(code, compileFunctions(*pimpl, names));
  }
  std::vector<CaptureData> result;
  for (size_t i = 0; i < pimpl->captures.size(); ++i) {
    const CaptureInfo &info = pimpl->captures[i];
    if (info.isQueryOffset || info.isLengths) {
      ATTN_TRY_ASSIGN(CaptureData whole, wholeSequences(info, sizes));
      result.push_back(std::move(whole));
      continue;
    }
    mlir::DictionaryAttr attributes = entry.getCaptureAttrs(i);
    mlir::Attribute data = attributes.get("attn.data");
    auto symbol = mlir::dyn_cast<mlir::FlatSymbolRefAttr>(data);
    if (!symbol) {
      mlir::Type type =
          mlir::cast<mlir::TypeAttr>(entry.getCaptureTypes()[i]).getValue();
      ATTN_TRY_ASSIGN(CaptureData scalar, scalarData(info, type, data, sizes));
      result.push_back(std::move(scalar));
      continue;
    }
    size_t index = llvm::find(names, symbol.getValue()) - names.begin();
    ATTN_TRY_ASSIGN(CaptureData table,
                    tableData(info,
                              attributes.getAs<mlir::ArrayAttr>("attn.shape"),
                              sizes, code->function(index)));
    result.push_back(std::move(table));
  }
  return result;
}
