// Short names for what the functions that find tiles are made of.
#ifndef ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEEMISSION_H
#define ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEEMISSION_H

#include "Team.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn {

class TileEmission {
protected:
  explicit TileEmission(Team &team) : team(team), b(team.b) {}

  using Steps = llvm::function_ref<SmallVector<Value>(Value, ValueRange)>;

  void inside(OpBuilder &nested, llvm::function_ref<void()> body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(nested.getInsertionBlock());
    body();
  }

  SmallVector<Value> loop(Value start, Value end, int64_t step,
                          ValueRange state, Steps body) {
    auto result = scf::ForOp::create(
        b, start, end, index(step), state,
        [&](OpBuilder &nested, Location, Value i, ValueRange state) {
          inside(nested, [&] {
            SmallVector<Value> next = body(i, state);
            scf::YieldOp::create(b, next);
          });
        });
    return llvm::to_vector_of<Value>(result.getResults());
  }

  /// Runs `body` for the number (i32) of each set bit of `word`.
  SmallVector<Value> forEachBit(Value word, ValueRange state, Steps body) {
    SmallVector<Value> initial{word};
    llvm::append_range(initial, state);
    auto result = scf::WhileOp::create(
        b, ValueRange(initial).getTypes(), initial,
        [&](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                               state[0], i32(0));
            scf::ConditionOp::create(b, more, state);
          });
        },
        [&](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            Value bit = LLVM::CountTrailingZerosOp::create(
                b, b.getI32Type(), state[0], /*is_zero_poison=*/true);
            SmallVector<Value> next = body(bit, state.drop_front());
            Value rest = arith::AndIOp::create(
                b, state[0], arith::SubIOp::create(b, state[0], i32(1)));
            next.insert(next.begin(), rest);
            scf::YieldOp::create(b, next);
          });
        });
    return llvm::to_vector_of<Value>(result.getResults().drop_front());
  }

  Value tileCount(Value length, int64_t size) {
    return arith::DivUIOp::create(b, add(length, index(size - 1)), index(size));
  }

  SmallVector<Value> at(ValueRange ids, Value last) {
    SmallVector<Value> all = llvm::to_vector(ids);
    all.push_back(last);
    return all;
  }
  Value load(Value memory, ValueRange ids, Value last) {
    return memref::LoadOp::create(b, memory, at(ids, last));
  }
  void store(Value value, Value memory, ValueRange ids, Value last) {
    memref::StoreOp::create(b, value, memory, at(ids, last));
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }
  Value f32(float value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value negation(Value x) {
    return arith::XOrIOp::create(b, x, arith::ConstantIntOp::create(b, 1, 1));
  }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value toI32(Value value) {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  }
  Value toIndex(Value value) {
    return arith::IndexCastOp::create(b, b.getIndexType(), value);
  }

  Value bitCount(Value word) {
    return LLVM::CtPopOp::create(b, b.getI32Type(), word);
  }
  Value isZero(Value word) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, word, i32(0));
  }
  Value isSet(Value word, Value bit) {
    Value shifted = arith::ShRUIOp::create(b, word, bit);
    return arith::TruncIOp::create(b, b.getI1Type(), shifted);
  }

  Team &team;
  ImplicitLocOpBuilder &b;
};

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEEMISSION_H
