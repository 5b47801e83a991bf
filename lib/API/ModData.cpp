// Makes the captured data of a mod by running the data functions of its file.
#include "HostMemory.h"
#include "Jit.h"
#include "ModImpl.h"

#include "attn/Pipelines/CPU.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>

using namespace attn;

/// The size that an entry of `attn.shape` names.
static int64_t sizeOf(mlir::Attribute entry, const ProblemSizes &sizes) {
  if (auto number = mlir::dyn_cast<mlir::IntegerAttr>(entry))
    return number.getInt();
  const std::pair<llvm::StringRef, int64_t> names[] = {
      {"batch", sizes.batch},      {"heads", sizes.heads},
      {"kv_heads", sizes.kvHeads}, {"queries", sizes.queries},
      {"keys", sizes.keys},        {"sequences", sizes.sequences}};
  llvm::StringRef wanted = mlir::cast<mlir::StringAttr>(entry).getValue();
  for (auto [name, size] : names)
    if (name == wanted)
      return size;
  return -1; // The verifier knows the names.
}

/// Compiles all functions of the file, those of `names` callable.
static Result<std::shared_ptr<const Jit>>
compileFunctions(const Mod::Impl &impl, const std::vector<std::string> &names) {
  mlir::OwningOpRef<mlir::ModuleOp> module = impl.inlined.get().clone();
  for (mlir::Operation &op :
       llvm::make_early_inc_range(module->getBody()->getOperations()))
    if (!mlir::isa<mlir::func::FuncOp>(op))
      op.erase();
  for (const std::string &name : names)
    module->lookupSymbol(name)->setAttr(
        "llvm.emit_c_interface", mlir::UnitAttr::get(module->getContext()));
  Result<void> lowered =
      impl.collect("its data functions cannot be compiled", [&] {
        mlir::PassManager pm(module->getContext());
        mlir::attn::buildLowerToLLVMPipeline(pm);
        return pm.run(*module);
      });
  if (!lowered)
    return Error{lowered.error()};
  return Jit::compile(*module, names);
}

static CaptureData scalarData(const CaptureInfo &info, mlir::Attribute value) {
  CaptureData data{info.type, {}, std::vector<std::byte>(byteWidth(info.type))};
  uint64_t bits = 0;
  if (auto number = mlir::dyn_cast<mlir::FloatAttr>(value))
    bits = number.getValue().bitcastToAPInt().getZExtValue();
  else
    bits = mlir::cast<mlir::IntegerAttr>(value).getValue().getZExtValue();
  std::memcpy(data.bytes.data(), &bits, data.bytes.size());
  return data;
}

/// Allocates a table and has `fill` fill it.
static Result<CaptureData> tableData(const CaptureInfo &info,
                                     mlir::ArrayAttr shape,
                                     const ProblemSizes &sizes,
                                     Jit::Function fill) {
  CaptureData data{info.type, {}, {}};
  int64_t bytes = byteWidth(info.type);
  for (mlir::Attribute entry : shape) {
    data.sizes.push_back(sizeOf(entry, sizes));
    if (data.sizes.back() < 0)
      return Error{"expects sizes of at least 0, got " +
                   std::to_string(data.sizes.back())};
    bytes *= data.sizes.back();
  }
  data.bytes.resize(bytes);
  Descriptor table(data.bytes.data(), data.sizes);
  int64_t numbers[] = {sizes.batch,   sizes.heads, sizes.kvHeads,
                       sizes.queries, sizes.keys,  sizes.sequences};
  std::vector<void *> arguments{table.address()};
  for (int64_t &number : numbers)
    arguments.push_back(&number);
  fill(arguments.data());
  return data;
}

Result<std::vector<CaptureData>>
Mod::makeCaptures(const ProblemSizes &sizes) const {
  std::lock_guard<std::mutex> lock(pimpl->mutex);
  mlir::attn::ModOp entry = pimpl->standalone();
  std::vector<std::string> names;
  for (size_t i = 0; i < pimpl->captures.size(); ++i) {
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
  std::shared_ptr<const Jit> jit;
  if (!names.empty()) {
    auto compiled = compileFunctions(*pimpl, names);
    if (!compiled)
      return Error{compiled.error()};
    jit = *compiled;
  }
  std::vector<CaptureData> result;
  for (size_t i = 0; i < pimpl->captures.size(); ++i) {
    mlir::DictionaryAttr attributes = entry.getCaptureAttrs(i);
    mlir::Attribute data = attributes.get("attn.data");
    auto symbol = mlir::dyn_cast<mlir::FlatSymbolRefAttr>(data);
    if (!symbol) {
      result.push_back(scalarData(pimpl->captures[i], data));
      continue;
    }
    size_t index = llvm::find(names, symbol.getValue()) - names.begin();
    Result<CaptureData> table = tableData(
        pimpl->captures[i], attributes.getAs<mlir::ArrayAttr>("attn.shape"),
        sizes, jit->function(index));
    if (!table)
      return Error{table.error()};
    result.push_back(std::move(*table));
  }
  return result;
}
