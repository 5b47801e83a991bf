// Products on tiles in rings: wgmma.mma_async, four warps and 64 rows at a
// time.
//
// A product is one piece of inline assembly: a fence, since its registers were
// written by other instructions, one wgmma for each 16 of the depth, and the
// end of the group. Nothing can come between them then. The accumulator's
// registers are tied to the wait in the same way, so that nothing reads them
// before it.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// The assembly of one product, operand by operand. LLVM numbers results first.
class Assembly {
public:
  Assembly(Distribution &d, size_t results) : b(d.b), results(results) {
    for (size_t i = 0; i < results; ++i)
      constraints.push_back("=f");
    next = results;
  }

  /// An operand that shares the register of result `i`.
  void tie(Value value, size_t i) {
    constraints.push_back(std::to_string(i));
    operands.push_back(value);
    ++next;
  }

  /// Its name in the text.
  std::string input(Value value) {
    Type type = value.getType();
    constraints.push_back(type.isF32() ? "f" : type.isInteger(64) ? "l" : "r");
    operands.push_back(value);
    return "$" + std::to_string(next++);
  }

  /// {$0, $1, ...}
  std::string resultList() {
    SmallVector<std::string> names;
    for (size_t i = 0; i < results; ++i)
      names.push_back("$" + std::to_string(i));
    return "{" + llvm::join(names, ", ") + "}";
  }

  Fragment emit(const std::string &text) {
    constraints.push_back("~{memory}");
    auto type = LLVM::LLVMStructType::getLiteral(
        b.getContext(), SmallVector<Type>(results, b.getF32Type()));
    Value all =
        LLVM::InlineAsmOp::create(
            b, type, operands, text, llvm::join(constraints, ","),
            /*has_side_effects=*/true, /*is_align_stack=*/false,
            LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
            .getResult(0);
    Fragment elements;
    for (size_t i = 0; i < results; ++i)
      elements.push_back(LLVM::ExtractValueOp::create(b, all, i));
    return elements;
  }

private:
  ImplicitLocOpBuilder &b;
  size_t results, next;
  SmallVector<std::string> constraints;
  SmallVector<Value> operands;
};

class ProductStart {
public:
  ProductStart(Distribution &d, const Product &p)
      : d(d), b(d.b), p(p), assembly(d, p.columns / 2) {}

  Fragment emit(const Fragment &init) {
    for (auto [i, value] : llvm::enumerate(init))
      assembly.tie(value, i);
    bool lhsInRing = isInSlot(cast<RankedTensorType>(p.lhs.getType()));
    SmallVector<std::string> lhsWords;
    std::string lhs, rhs;
    if (lhsInRing)
      lhs = assembly.input(lhsDescriptor());
    else
      for (Value word : d.wordsOf(p.lhs))
        lhsWords.push_back(assembly.input(word));
    rhs = assembly.input(rhsDescriptor());

    std::string type = p.elementType.isF16() ? "f16" : "bf16";
    std::string text = "{\n.reg .b64 a, b;\n.reg .pred p;\n"
                       "wgmma.fence.sync.aligned;\n";
    for (int64_t k = 0; k < p.depth; k += 16) {
      text += "setp.ne.b32 p, " +
              std::string(init.empty() && k == 0 ? "0" : "1") + ", 0;\n";
      text += step("b", rhs,
                   p.transposed ? depthOffset(p.rhs, k) : k * chunkRowBytes);
      std::string left;
      if (lhsInRing) {
        text +=
            step("a", lhs,
                 p.lhsTransposed ? k * chunkRowBytes : depthOffset(p.lhs, k));
        left = "a";
      } else {
        left =
            "{" +
            llvm::join(ArrayRef<std::string>(lhsWords).slice(k / 4, 4), ", ") +
            "}";
      }
      text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(p.columns) +
              "k16.f32." + type + "." + type + " " + assembly.resultList() +
              ", " + left + ", b, p, 1, 1" +
              (!lhsInRing        ? ""
               : p.lhsTransposed ? ", 1"
                                 : ", 0") +
              (p.transposed ? ", 0" : ", 1") + ";\n";
    }
    return assembly.emit(text + "wgmma.commit_group.sync.aligned;\n}");
  }

private:
  /// `name` = descriptor `base` plus bytes.
  static std::string step(const char *name, const std::string &base,
                          int64_t bytes) {
    return std::string("add.s64 ") + name + ", " + base + ", " +
           std::to_string(bytes / 16) + ";\n";
  }

  /// Where depth k of an operand begins whose rows run along the depth.
  static int64_t depthOffset(Value tile, int64_t k) {
    auto type = cast<RankedTensorType>(tile.getType());
    return k / chunkColumns * chunkBytes(type) + k % chunkColumns * 2;
  }

  /// Of the left tile what makes the group's 64 rows of the result: rows, or a
  /// chunk of columns.
  Value lhsDescriptor() {
    Value tile = d.parts.lookup(p.lhs).front();
    if (p.columnGroups)
      return descriptor(tile, 16);
    auto type = cast<RankedTensorType>(p.lhs.getType());
    int64_t bytes = p.lhsTransposed ? chunkBytes(type) : 64 * chunkRowBytes;
    Value rows = arith::MulIOp::create(b, d.warpGroup, d.i32(bytes));
    return descriptor(arith::AddIOp::create(b, tile, rows), 16);
  }

  Value rhsDescriptor() {
    auto type = cast<RankedTensorType>(p.rhs.getType());
    Value tile = d.parts.lookup(p.rhs).front();
    if (p.columnGroups) {
      int64_t bytes = p.columns < chunkColumns
                          ? p.columns * 2
                          : p.columns / chunkColumns * chunkBytes(type);
      tile = arith::AddIOp::create(
          b, tile, arith::MulIOp::create(b, d.warpGroup, d.i32(bytes)));
    }
    return descriptor(tile, p.transposed ? 16 : chunkBytes(type));
  }

  /// PTX ISA, "matrix descriptor": address, leading and stride offsets in 16
  /// bytes, 128-byte swizzle. Eight rows follow eight rows after 1024 bytes;
  /// the leading offset is from chunk to chunk where the columns of the result
  /// run along the rows of the tile.
  Value descriptor(Value address, int64_t leadingBytes) {
    uint64_t fixed = uint64_t(1) << 62 | uint64_t(1024 / 16) << 32 |
                     uint64_t(leadingBytes / 16) << 16;
    Value start = arith::ShRUIOp::create(b, address, d.i32(4));
    return arith::OrIOp::create(
        b, arith::ExtUIOp::create(b, b.getI64Type(), start),
        arith::ConstantIntOp::create(b, static_cast<int64_t>(fixed), 64));
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  const Product &p;
  Assembly assembly;
};

} // namespace

Fragment tile::startProduct(Distribution &d, const Product &product,
                            Fragment init) {
  return ProductStart(d, product).emit(init);
}

Fragment tile::asAccumulator(Distribution &d, const Fragment &elements) {
  Assembly assembly(d, elements.size());
  for (auto [i, value] : llvm::enumerate(elements))
    assembly.tie(value, i);
  return assembly.emit("");
}

/// ptxas knows no operands of a wait and schedules it as early as it can,
/// before a softmax that is meant to run beside the product. It keeps the order
/// of waits and stores, so a store that never happens (no sum of weights is
/// 2^127), but whose condition needs `after`, holds the wait back. It has to be
/// volatile.
static std::string storeNever(Distribution &d, Assembly &assembly,
                              const Fragment &after) {
  Value sum = after.front();
  for (Value element : llvm::drop_begin(after))
    sum = arith::AddFOp::create(d.b, sum, element);
  Value address = arith::AddIOp::create(d.b, d.alignedSharedMemory(),
                                        d.i32(shared::unusedOffset));
  std::string value = assembly.input(sum), to = assembly.input(address);
  return "{\n.reg .pred p;\nsetp.eq.f32 p, " + value +
         ", 0f7F000000;\n@p st.volatile.shared.f32 [" + to + "], " + value +
         ";\n}\n";
}

Fragment tile::awaitProduct(Distribution &d, const Fragment &product,
                            int64_t pending, const Fragment &after) {
  Assembly assembly(d, product.size());
  for (auto [i, value] : llvm::enumerate(product))
    assembly.tie(value, i);
  std::string text;
  if (!after.empty())
    text = storeNever(d, assembly, after);
  return assembly.emit(text + "wgmma.wait_group.sync.aligned " +
                       std::to_string(pending) + ";");
}

/// Of a matrix some elements of each row stand for all: more would cost as much
/// as they hide.
static Fragment someOf(const Fragment &elements) {
  constexpr size_t distance = 7;
  Fragment some;
  for (size_t i = elements.size(); i > 0; i -= std::min(i, distance))
    some.push_back(elements[i - 1]);
  return some;
}

void tile::emitAwait(Distribution &d, AwaitOp op) {
  Fragment after;
  if (Value tile = op.getAfter()) {
    after = d.parts.lookup(tile);
    if (cast<RankedTensorType>(tile.getType()).getRank() == 2)
      after = someOf(after);
  }
  d.parts[op.getResult()] = awaitProduct(
      d, d.parts.find(op.getProduct())->second, op.getPending(), after);
}
