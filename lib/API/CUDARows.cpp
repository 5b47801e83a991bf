// The frame of the kernels on rows. See CUDARows.h.
#include "CUDARows.h"

#include "../Launch/CaptureViews.h"
#include "ModImpl.h"

#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
// Within namespace mlir, `attn` is the dialect.
namespace api = ::attn;
using api::Role;
using api::RowKernel;

static constexpr int64_t rowsPerBlock = 4;

RowKernel::RowKernel(gpu::GPUFuncOp func, mlir::attn::ModOp mod)
    : b(ImplicitLocOpBuilder::atBlockBegin(func.getLoc(),
                                           &func.getBody().front())),
      func(func), mod(mod) {
  keys = parameter(Role::KeyCount), rows = parameter(Role::RowCount);
  scale = parameter(Role::Scale);
  SmallVector<Type> types(mod.getCaptureTypes().getAsValueRange<TypeAttr>());
  for (mlir::BlockArgument argument : func.getArguments())
    if (::attn::isCaptured(mlir::attn::roleOf(argument).getRole()))
      captures.push_back(argument);
  captures = mlir::attn::unpackCaptures(b, b.getLoc(), types, captures);
}

void RowKernel::build() {
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  lane = arith::RemUIOp::create(b, thread, index(32));
  Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  row = arith::AddIOp::create(
      b, arith::MulIOp::create(b, block, index(rowsPerBlock)),
      arith::DivUIOp::create(b, thread, index(32)));
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, rows);
  auto guard = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
  gpu::ReturnOp::create(b);
  b.setInsertionPoint(guard.thenYield());
  Value heads = parameter(Role::HeadCount);
  Value queries = parameter(Role::QueryCount);
  Value batchHead = arith::AddIOp::create(
      b, parameter(Role::FirstHead), arith::DivUIOp::create(b, row, queries));
  batch = i32(arith::DivUIOp::create(b, batchHead, heads));
  head = i32(arith::RemUIOp::create(b, batchHead, heads));
  query = i32(arith::RemUIOp::create(b, row, queries));
  rowStart = arith::MulIOp::create(b, row, keys);
  buildRow();
}

Value RowKernel::parameter(Role role) {
  return mlir::attn::parameterOf(func, role);
}

Value RowKernel::position(Value key) {
  return arith::AddIOp::create(b, rowStart, key);
}

Value RowKernel::shuffle(Value value, int64_t mask) {
  auto constant = [&](int64_t x) -> Value {
    return arith::ConstantIntOp::create(b, x, 32);
  };
  return NVVM::ShflOp::create(b, value.getType(), constant(-1), value,
                              constant(mask), constant(31),
                              NVVM::ShflKind::bfly, UnitAttr());
}

Value RowKernel::i32(Value value) {
  return arith::IndexCastOp::create(b, b.getI32Type(), value);
}

Value RowKernel::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value RowKernel::number(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

OwningOpRef<ModuleOp>
api::buildRowModule(const Mod &mod, mlir::attn::ModOp entry, StringRef name,
                    ArrayRef<std::pair<Role, Type>> memories) {
  MLIRContext *context = &mod.impl().context;
  context->loadDialect<arith::ArithDialect, gpu::GPUDialect, math::MathDialect,
                       memref::MemRefDialect, NVVM::NVVMDialect,
                       scf::SCFDialect>();
  OpBuilder builder(context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto kernels = gpu::GPUModuleOp::create(builder, loc, "rows");
  builder.setInsertionPointToStart(&kernels.getBodyRegion().front());

  mlir::attn::ParameterList parameters;
  for (auto [role, element] : memories)
    parameters.add(role, MemRefType::get({ShapedType::kDynamic}, element));
  for (Role size : {Role::FirstHead, Role::HeadCount, Role::QueryCount,
                    Role::KeyCount, Role::RowCount})
    parameters.add(size, builder.getIndexType());
  parameters.add(Role::Scale, builder.getF32Type());
  for (auto [i, capture] : llvm::enumerate(entry.getCaptureTypes())) {
    RoleName role = roleOf(mod.captures()[i], i);
    parameters.add(
        mlir::attn::RoleAttr::get(context, role.role, role.number),
        mlir::attn::captureArgumentType(cast<TypeAttr>(capture).getValue(),
                                        /*anyStride=*/true));
  }
  auto func = gpu::GPUFuncOp::create(
      builder, loc, name, builder.getFunctionType(parameters.getTypes(), {}));
  parameters.setRoles(func);
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                builder.getUnitAttr());
  func.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr(
      {static_cast<int32_t>(32 * rowsPerBlock), 1, 1}));
  return module;
}

gpu::GPUFuncOp api::rowKernelIn(ModuleOp module) {
  auto kernels = *module.getOps<gpu::GPUModuleOp>().begin();
  return *kernels.getOps<gpu::GPUFuncOp>().begin();
}

void api::bindRows(Bindings &bindings, int64_t first, int64_t count,
                   int64_t heads, int64_t queries, int64_t keys, float scale,
                   const std::vector<CaptureInfo> &infos,
                   const std::vector<CaptureView> &captures) {
  for (auto [role, number] :
       {std::pair(Role::FirstHead, first), std::pair(Role::HeadCount, heads),
        std::pair(Role::QueryCount, queries), std::pair(Role::KeyCount, keys),
        std::pair(Role::RowCount, count * queries)})
    bindings.word({role}, static_cast<uint64_t>(number));
  bindings.scalar({Role::Scale}, &scale, sizeof scale);
  bindCaptures(bindings, infos, captures);
}

api::Result<void> api::launchRows(const cuda::LoadedKernel &kernel,
                                  int64_t rows, Bindings &bindings,
                                  void *stream) {
  return kernel.launch((rows + rowsPerBlock - 1) / rowsPerBlock, bindings,
                       stream);
}
