// Reading mod files. Diagnostics keep the file's own lines and columns.
#include "ModImpl.h"
#include "Nesting.h"

#include "attn/Dialect/Attn/Transforms/Positions.h"
#include "attn/InitAll.h"
#include "attn/Pipelines/Mods.h"
#include "attn/Support/Try.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace attn;
using mlir::attn::ModOp;

/// All dialects, registered once: contexts then only load what they meet.
static const mlir::DialectRegistry &dialects() {
  static const mlir::DialectRegistry *registry = [] {
    auto *result = new mlir::DialectRegistry();
    mlir::attn::registerAllDialects(*result);
    return result;
  }();
  return *registry;
}

Mod::Impl::Impl()
    : context(dialects(), mlir::MLIRContext::Threading::DISABLED) {
  context.printOpOnDiagnostic(false);
  // What is built before any pass could load it.
  context.loadDialect<mlir::attn::AttnDialect, mlir::func::FuncDialect>();
}

ModOp Mod::Impl::standalone() const {
  return mlir::cast<ModOp>(mlir::SymbolTable::lookupSymbolIn(*inlined, name));
}

Result<void>
Mod::Impl::collect(const char *otherwise,
                   const std::function<mlir::LogicalResult()> &step) const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, stream);
  if (mlir::succeeded(step()))
    return {};
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return Error{text.empty() ? otherwise : text};
}

mlir::Type attn::elementTypeOf(mlir::MLIRContext *context, ElementType type) {
  mlir::Builder builder(context);
  switch (type) {
  case ElementType::F32:
    return builder.getF32Type();
  case ElementType::F16:
    return builder.getF16Type();
  case ElementType::BF16:
    return builder.getBF16Type();
  case ElementType::F64:
    return builder.getF64Type();
  case ElementType::I32:
    return builder.getI32Type();
  case ElementType::I64:
    return builder.getI64Type();
  case ElementType::I16:
    return builder.getI16Type();
  case ElementType::I8:
  case ElementType::U8:
    return builder.getI8Type();
  case ElementType::Bool:
    return builder.getI1Type();
  }
  return {};
}

/// Finds the one mod that no other applies.
static Result<ModOp> findEntry(mlir::ModuleOp module, const std::string &file) {
  llvm::StringSet<llvm::MallocAllocator> applied;
  module.walk([&](mlir::Operation *op) {
    if (mlir::isa<mlir::attn::ApplyScoreOp, mlir::attn::ApplyMaskOp>(op))
      applied.insert(
          op->getAttrOfType<mlir::FlatSymbolRefAttr>("mod").getValue());
  });
  ModOp entry;
  for (ModOp mod : module.getOps<ModOp>()) {
    if (applied.contains(mod.getSymName()))
      continue;
    if (entry)
      return Error{
          file + ": error: expects one mod that no other applies, got '@" +
          entry.getSymName().str() + "' and '@" + mod.getSymName().str() + "'"};
    entry = mod;
  }
  if (!entry)
    return Error{file + ": error: expects an attn.mod that no other applies, "
                        "got none"};
  return entry;
}

/// The API's view of a capture.
static CaptureInfo describeCapture(ModOp mod, unsigned i) {
  mlir::Type type =
      mlir::cast<mlir::TypeAttr>(mod.getCaptureTypes()[i]).getValue();
  CaptureInfo info;
  info.name = mlir::cast<mlir::StringAttr>(mod.getCaptureNames()[i]).str();
  info.rank = 0;
  info.isScalar = true;
  if (auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type)) {
    info.rank = tensor.getRank();
    info.isScalar = false;
    type = tensor.getElementType();
  }
  using E = ElementType;
  for (ElementType element :
       {E::F32, E::F16, E::BF16, E::I64, E::I32, E::I16, E::I8, E::Bool})
    if (elementTypeOf(type.getContext(), element) == type)
      info.type = element;
  return info;
}

/// Adds what the mod captures besides what its file says, in the order that
/// attn-apply-positions has.
static void addPositions(Mod::Impl &impl) {
  mlir::Type i32 = mlir::IntegerType::get(&impl.context, 32);
  mlir::Type perBatch =
      mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, i32);
  if (impl.queryOffset)
    mlir::attn::addQueryOffset(
        impl.entry, impl.queryOffset == QueryOffset::Scalar ? i32 : perBatch);
  if (impl.hasLengths)
    mlir::attn::addLengths(impl.entry, perBatch);
}

/// The captures of the entry, with what addPositions added.
static std::vector<CaptureInfo> describeCaptures(const Mod::Impl &impl) {
  ModOp entry = impl.entry;
  std::vector<CaptureInfo> captures;
  for (unsigned i = 0; i < entry.getNumCaptures(); ++i)
    captures.push_back(describeCapture(entry, i));
  if (impl.hasLengths)
    captures.back().isLengths = true;
  if (impl.queryOffset)
    captures[captures.size() - (impl.hasLengths ? 2 : 1)].isQueryOffset = true;
  return captures;
}

/// Of an `impl` with a source, which says what is to be added to it.
static Result<std::shared_ptr<const Mod::Impl>>
readMod(std::shared_ptr<Mod::Impl> impl, const std::string &file) {
  Result<void> parsed = impl->collect("does not parse", [&] {
    impl->module = mlir::parseSourceFile<mlir::ModuleOp>(
        impl->sources, mlir::ParserConfig(&impl->context));
    return mlir::success(!!impl->module);
  });
  ATTN_TRY(parsed);
  ATTN_TRY_ASSIGN(ModOp entry, findEntry(*impl->module, file));
  impl->entry = entry;
  addPositions(*impl);
  impl->name = impl->entry.getSymName().str();
  impl->captures = describeCaptures(*impl);
  Result<void> inlined = impl->collect("its mods cannot be inlined", [&] {
    impl->inlined = impl->module->clone();
    mlir::PassManager pm(&impl->context);
    mlir::attn::buildModsPipeline(pm);
    return pm.run(*impl->inlined);
  });
  ATTN_TRY(inlined);
  return std::shared_ptr<const Mod::Impl>(std::move(impl));
}

Result<Mod> Mod::read(std::shared_ptr<Impl> impl, const std::string &source,
                      const std::string &name) {
  ATTN_TRY(checkNesting(source, name));
  impl->sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(source, name), llvm::SMLoc());
  ATTN_TRY_ASSIGN(auto read, readMod(std::move(impl), name));
  Mod mod;
  mod.pimpl = std::move(read);
  return mod;
}

Result<Mod> Mod::fromSource(const std::string &source,
                            const std::string &name) {
  return read(std::make_shared<Impl>(), source, name);
}

/// An `impl` that is to have what `mod` has, to be read from its source.
static std::shared_ptr<Mod::Impl> likeOf(const Mod::Impl &mod) {
  auto impl = std::make_shared<Mod::Impl>();
  impl->queryOffset = mod.queryOffset;
  impl->hasLengths = mod.hasLengths;
  return impl;
}

/// The text that a mod was read from.
static const llvm::MemoryBuffer &textOf(const Mod::Impl &mod) {
  return *mod.sources.getMemoryBuffer(mod.sources.getMainFileID());
}

Result<Mod> Mod::readAgain(std::shared_ptr<Impl> impl) const {
  const llvm::MemoryBuffer &text = textOf(*pimpl);
  return read(std::move(impl), text.getBuffer().str(),
              text.getBufferIdentifier().str());
}

Result<Mod> Mod::withQueryOffset(QueryOffset kind) const {
  if (pimpl->queryOffset)
    return Error{"expects mod '@" + pimpl->name +
                 "' without a query offset: it has one"};
  auto impl = likeOf(*pimpl);
  impl->queryOffset = kind;
  return readAgain(std::move(impl));
}

Result<Mod> Mod::withLengths() const {
  if (pimpl->hasLengths)
    return Error{"expects mod '@" + pimpl->name +
                 "' without lengths: it has them"};
  auto impl = likeOf(*pimpl);
  impl->hasLengths = true;
  return readAgain(std::move(impl));
}

Result<Mod> Mod::copy() const { return readAgain(likeOf(*pimpl)); }

Result<Mod> Mod::fromFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return Error{path +
                 ": error: cannot be read: " + buffer.getError().message()};
  return fromSource((*buffer)->getBuffer().str(), path);
}

const std::string &Mod::name() const { return pimpl->name; }

bool Mod::hasScore() const {
  return const_cast<ModOp &>(pimpl->entry).hasScore();
}

bool Mod::hasMask() const {
  return const_cast<ModOp &>(pimpl->entry).hasMask();
}

bool Mod::foldsBatch() const {
  return const_cast<ModOp &>(pimpl->entry)->hasAttr("attn.fold_batch");
}

const std::vector<CaptureInfo> &Mod::captures() const {
  return pimpl->captures;
}
