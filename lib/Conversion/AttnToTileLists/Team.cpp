// See Team.h.
#include "Team.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

Value Team::combine(Value x, Value y, Combine how) {
  bool isFloat = isa<FloatType>(x.getType());
  switch (how) {
  case Combine::Sum:
    return arith::AddIOp::create(b, x, y);
  case Combine::Least:
    return isFloat ? Value(arith::MinimumFOp::create(b, x, y))
                   : Value(arith::MinSIOp::create(b, x, y));
  case Combine::Greatest:
    return isFloat ? Value(arith::MaximumFOp::create(b, x, y))
                   : Value(arith::MaxSIOp::create(b, x, y));
  }
  llvm_unreachable("all kinds are handled");
}

Value Team::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}
Value Team::i32(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

Value Team::negation(Value bit) {
  return arith::XOrIOp::create(b, bit, arith::ConstantIntOp::create(b, 1, 1));
}

SmallVector<Value> mlir::attn::delinearize(ImplicitLocOpBuilder &b, Value task,
                                           ValueRange sizes) {
  SmallVector<Value> ids(sizes.size());
  for (size_t i = sizes.size(); i-- > 1;) {
    ids[i] = arith::RemUIOp::create(b, task, sizes[i]);
    task = arith::DivUIOp::create(b, task, sizes[i]);
  }
  ids[0] = task;
  return ids;
}

namespace {

class Thread final : public Team {
public:
  explicit Thread(Location loc) : Team(loc) {}

  void kernel(ModuleOp module, StringRef name, const ParameterList &parameters,
              llvm::function_ref<SmallVector<Value>(FunctionOpInterface)> sizes,
              llvm::function_ref<void(ValueRange)> body) override {
    b.setInsertionPointToEnd(module.getBody());
    auto func = func::FuncOp::create(
        b, name, b.getFunctionType(parameters.getTypes(), {}));
    parameters.setRoles(func);
    func->setAttr("attn.kernel", b.getUnitAttr());
    Block *entry = func.addEntryBlock();
    b.setInsertionPointToEnd(entry);
    lane = arith::ConstantIndexOp::create(b, 0);
    SmallVector<Value> bounds = sizes(func);
    auto forall = scf::ForallOp::create(b, getAsOpFoldResult(bounds),
                                        ValueRange{}, std::nullopt);
    func::ReturnOp::create(b);
    b.setInsertionPoint(forall.getTerminator());
    body(forall.getInductionVars());
  }

  Value any(Value bit) override { return bit; }
  Value combine(Value value, Combine) override { return value; }

  SmallVector<Value>
  ballot(size_t words,
         llvm::function_ref<SmallVector<Value>(Value)> bits) override {
    Value zero = arith::ConstantIntOp::create(b, 0, 32);
    SmallVector<Value> none(words, zero);
    auto loop = scf::ForOp::create(b, index(0), index(32), index(1), none);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    Value i = loop.getInductionVar();
    Value shift = arith::IndexCastOp::create(b, b.getI32Type(), i);
    SmallVector<Value> next;
    for (auto [word, bit] :
         llvm::zip_equal(loop.getRegionIterArgs(), bits(i))) {
      Value wide = arith::ExtUIOp::create(b, b.getI32Type(), bit);
      next.push_back(
          arith::OrIOp::create(b, word, arith::ShLIOp::create(b, wide, shift)));
    }
    scf::YieldOp::create(b, next);
    return llvm::to_vector_of<Value>(loop.getResults());
  }

  Found search(int64_t count, llvm::function_ref<Value(Value)> word,
               llvm::function_ref<Value(Value)> test, Found found) override {
    auto words = scf::ForOp::create(b, index(0), index(count), index(1),
                                    ValueRange{found.holds, found.fails});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(words.getBody());
    Value first = arith::MulIOp::create(b, words.getInductionVar(), index(32));
    SmallVector<Value> initial{word(words.getInductionVar())};
    llvm::append_range(initial, words.getRegionIterArgs());
    auto bits = scf::WhileOp::create(
        b, ValueRange(initial).getTypes(), initial,
        [&](OpBuilder &nested, Location, ValueRange state) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Value some = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                             state[0], i32(0));
          Value isKnown = arith::AndIOp::create(b, state[1], state[2]);
          scf::ConditionOp::create(
              b, arith::AndIOp::create(b, some, negation(isKnown)), state);
        },
        [&](OpBuilder &nested, Location, ValueRange state) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(nested.getInsertionBlock());
          Value bit = LLVM::CountTrailingZerosOp::create(
              b, b.getI32Type(), state[0], /*is_zero_poison=*/true);
          Value number = arith::AddIOp::create(
              b, first, arith::IndexCastOp::create(b, b.getIndexType(), bit));
          Value holds = test(number);
          Value rest = arith::AndIOp::create(
              b, state[0], arith::SubIOp::create(b, state[0], i32(1)));
          scf::YieldOp::create(
              b,
              ValueRange{rest, arith::OrIOp::create(b, state[1], holds),
                         arith::OrIOp::create(b, state[2], negation(holds))});
        });
    scf::YieldOp::create(b, bits.getResults().drop_front());
    return {words.getResult(0), words.getResult(1)};
  }

  void eachLane(llvm::function_ref<void(Value)> body) override {
    auto loop = scf::ForOp::create(b, index(0), index(32), index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(loop.getInductionVar());
  }
  void once(llvm::function_ref<void()> body) override { body(); }
};

class Warp final : public Team {
public:
  explicit Warp(Location loc) : Team(loc) { width = 32; }

  void kernel(ModuleOp module, StringRef name, const ParameterList &parameters,
              llvm::function_ref<SmallVector<Value>(FunctionOpInterface)> sizes,
              llvm::function_ref<void(ValueRange)> body) override {
    gpu::GPUModuleOp gpuModule = moduleIn(module);
    b.setInsertionPointToEnd(&gpuModule.getBodyRegion().front());
    auto func = gpu::GPUFuncOp::create(
        b, name, b.getFunctionType(parameters.getTypes(), {}));
    parameters.setRoles(func);
    func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    func.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr(
        {static_cast<int32_t>(32 * warpsPerBlock), 1, 1}));
    Block &entry = func.getBody().front();
    b.setInsertionPointToEnd(&entry);
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    lane = arith::RemUIOp::create(b, thread, index(32));
    Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x);
    Value task = arith::AddIOp::create(
        b, arith::MulIOp::create(b, block, index(warpsPerBlock)),
        arith::DivUIOp::create(b, thread, index(32)));
    SmallVector<Value> bounds = sizes(func);
    Value count = index(1);
    for (Value bound : bounds)
      count = arith::MulIOp::create(b, count, bound);
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, task, count);
    auto guard = scf::IfOp::create(b, exists, /*withElseRegion=*/false);
    gpu::ReturnOp::create(b);
    b.setInsertionPoint(guard.thenYield());
    body(delinearize(b, task, bounds));
  }

  Value any(Value bit) override {
    return NVVM::VoteSyncOp::create(b, b.getI1Type(), i32(-1), bit,
                                    NVVM::VoteSyncKind::any);
  }
  Value combine(Value value, Combine how) override {
    for (int64_t mask : {1, 2, 4, 8, 16}) {
      Value other =
          NVVM::ShflOp::create(b, value.getType(), i32(-1), value, i32(mask),
                               i32(31), NVVM::ShflKind::bfly, UnitAttr());
      value = Team::combine(value, other, how);
    }
    return value;
  }
  SmallVector<Value>
  ballot(size_t words,
         llvm::function_ref<SmallVector<Value>(Value)> bits) override {
    SmallVector<Value> result;
    for (Value bit : bits(lane))
      result.push_back(NVVM::VoteSyncOp::create(b, b.getI32Type(), i32(-1), bit,
                                                NVVM::VoteSyncKind::ballot));
    (void)words;
    return result;
  }
  /// All words at once: what a lane reads for one does not wait for another.
  Found search(int64_t count, llvm::function_ref<Value(Value)> word,
               llvm::function_ref<Value(Value)> test, Found found) override {
    Value shift = arith::IndexCastOp::create(b, b.getI32Type(), lane);
    for (int64_t i = 0; i < count; ++i) {
      Value shifted = arith::ShRUIOp::create(b, word(index(i)), shift);
      Value isAsked = arith::TruncIOp::create(b, b.getI1Type(), shifted);
      Value holds = test(arith::AddIOp::create(b, lane, index(32 * i)));
      found.holds = arith::OrIOp::create(
          b, found.holds, arith::AndIOp::create(b, isAsked, holds));
      found.fails = arith::OrIOp::create(
          b, found.fails, arith::AndIOp::create(b, isAsked, negation(holds)));
    }
    return {any(found.holds), any(found.fails)};
  }

  void eachLane(llvm::function_ref<void(Value)> body) override { body(lane); }
  void once(llvm::function_ref<void()> body) override {
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, index(0));
    auto only = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(only.thenYield());
    body();
  }

private:
  static constexpr int64_t warpsPerBlock = 4;

  /// One module for all kernels that find tiles.
  gpu::GPUModuleOp moduleIn(ModuleOp module) {
    for (auto existing : module.getOps<gpu::GPUModuleOp>())
      if (existing.getName() == "tile_lists")
        return existing;
    b.setInsertionPointToEnd(module.getBody());
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    b.getUnitAttr());
    return gpu::GPUModuleOp::create(b, "tile_lists");
  }
};

} // namespace

std::unique_ptr<Team> mlir::attn::createThread(Location loc) {
  return std::make_unique<Thread>(loc);
}
std::unique_ptr<Team> mlir::attn::createWarp(Location loc) {
  return std::make_unique<Warp>(loc);
}
