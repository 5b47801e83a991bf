// wgmma: each warp computes its 16 of the group's 64 rows. A product is done
// when it is started or when it is awaited, so that a program that touches its
// operands or its result in between is seen.
#include "Decoder.h"
#include "Numbers.h"
#include "TensorMap.h"

#include <cstring>

using namespace attn::ptx;

namespace {

constexpr int kDepth = 16;

/// PTX ISA, "Matrix descriptor format".
struct Descriptor {
  explicit Descriptor(uint64_t bits)
      : start((bits & 0x3fff) << 4), leading((bits >> 16 & 0x3fff) << 4),
        stride((bits >> 32 & 0x3fff) << 4) {
    uint64_t mode = bits >> 62;
    if (mode != 1 || (bits >> 49 & 7))
      throw Fault("a descriptor without the 128-byte swizzle or with a base "
                  "offset");
  }

  /// Where element (row, depth) lies; rows along the leading dimension of
  /// the result.
  uint64_t element(int row, int depth, bool transposed) const {
    uint64_t address =
        transposed ? start + uint64_t(row % 64) * 2 + row / 64 * leading +
                         uint64_t(depth % 8) * 128 + depth / 8 * stride
                   : start + uint64_t(row % 8) * 128 + row / 8 * stride +
                         uint64_t(depth) * 2;
    return swizzled(address, 3);
  }

  uint64_t start, leading, stride;
};

struct Shape {
  int columns;
  bool leftInRegisters, leftTransposed, rightTransposed, negateLeft,
      negateRight, half;
};

float decodeHalf(uint16_t bits, bool half) {
  return half ? float(Float16{bits}) : float(BFloat16{bits});
}

float elementAt(Block &block, const Descriptor &d, int row, int depth,
                bool transposed, bool half) {
  uint16_t bits;
  std::memcpy(&bits, block.sharedAt(d.element(row, depth, transposed), 2), 2);
  return decodeHalf(bits, half);
}

void multiply(Warp &w, const Instruction &i, const Shape &shape, uint64_t left,
              uint64_t right, bool accumulates) {
  float a[16][kDepth];
  int rows = int(w.index % 4) * 16;
  if (shape.leftInRegisters) {
    for (int l = 0; l < kLanes; ++l)
      for (int word = 0; word < 4; ++word)
        for (int h = 0; h < 2; ++h) {
          uint32_t bits = w.lanes<uint32_t>(i.operands[1].parts[word])[l];
          a[l / 4 + word % 2 * 8][l % 4 * 2 + h + word / 2 * 8] =
              decodeHalf(uint16_t(bits >> (16 * h)), shape.half);
        }
  } else {
    Descriptor d(left);
    for (int r = 0; r < 16; ++r)
      for (int k = 0; k < kDepth; ++k)
        a[r][k] = elementAt(w.block, d, rows + r, k, shape.leftTransposed,
                            shape.half);
  }
  if (shape.negateLeft != shape.negateRight)
    for (auto &row : a)
      for (float &x : row)
        x = -x;

  Descriptor d(right);
  float sums[16][256] = {}, b[256];
  for (int k = 0; k < kDepth; ++k) {
    for (int c = 0; c < shape.columns; ++c)
      b[c] = elementAt(w.block, d, c, k, shape.rightTransposed, shape.half);
    for (int r = 0; r < 16; ++r)
      for (int c = 0; c < shape.columns; ++c)
        sums[r][c] += a[r][k] * b[c];
  }
  for (int e = 0; e < shape.columns / 2; ++e) {
    float *result = w.lanes<float>(i.operands[0].parts[e]);
    for (int l = 0; l < kLanes; ++l) {
      int r = l / 4 + e / 2 % 2 * 8, c = e / 4 * 8 + l % 4 * 2 + e % 2;
      result[l] = (accumulates ? result[l] : 0) + sums[r][c];
    }
  }
}

/// Operands: result, left (a vector, or a row of descriptors), right, whether
/// the result is added to. values: columns, flags.
void product(Warp &w, const Instruction &i, Mask mask) {
  if (mask != ~Mask(0))
    throw Fault("only some lanes start a product");
  Shape shape{int(i.values[0]),      i.operands[1].kind == Operand::Vector,
              bool(i.values[1] & 1), bool(i.values[1] & 2),
              bool(i.values[1] & 4), bool(i.values[1] & 8),
              bool(i.values[1] & 16)};
  uint64_t left =
      shape.leftInRegisters ? 0 : w.lanes<uint64_t>(i.operands[1])[0];
  uint64_t right = w.lanes<uint64_t>(i.operands[2])[0];
  bool accumulates = w.bits(i.operands[3]) & 1;
  auto work = [&w, &i, shape, left, right, accumulates] {
    multiply(w, i, shape, left, right, accumulates);
  };
  // Those of one group of work happen in their order.
  bool waiting = false;
  for (const Warp::Work &group : w.products)
    waiting |= !group.empty();
  if (waiting || w.block.late())
    w.products.back().push_back(work);
  else
    work();
}

void fence(Warp &, const Instruction &, Mask) {}

void commit(Warp &w, const Instruction &, Mask) { w.products.emplace_back(); }

void await(Warp &w, const Instruction &i, Mask) {
  while (w.products.size() > size_t(i.values[0]) + 1) {
    for (std::function<void()> &step : w.products.front())
      step();
    w.products.pop_front();
  }
}

} // namespace

Handler attn::ptx::decodeWarpGroupProduct(Decoder &d) {
  if (d.name() != "wgmma")
    return nullptr;
  d.collective();
  if (d.has("fence"))
    return fence;
  if (d.has("commit_group"))
    return commit;
  if (d.has("wait_group")) {
    d.instruction.values[0] = d.integer(0);
    return await;
  }
  const std::string &size = d.parts[4];
  if (!d.has("mma_async") || size.rfind("m64n", 0) != 0 ||
      size.substr(size.size() - 3) != "k16" || d.parts[5] != "f32" ||
      (d.type() != "bf16" && d.type() != "f16"))
    return nullptr;
  int64_t columns = std::atoi(size.c_str() + 4);
  d.instruction.values[0] = columns;
  d.vector(0, 4);
  bool registers = d.argument(1).kind == Argument::Vector;
  if (registers)
    d.vector(1, 4);
  else
    d.value(1, 8);
  d.value(2, 8);
  d.predicate(3);
  int64_t flags = d.type() == "f16" ? 16 : 0;
  flags |= d.integer(4) < 0 ? 4 : 0;
  flags |= d.integer(5) < 0 ? 8 : 0;
  size_t next = 6;
  if (!registers && d.integer(next++))
    flags |= 1;
  if (d.integer(next))
    flags |= 2;
  d.instruction.values[1] = flags;
  if (int64_t(d.instruction.operands[0].parts.size()) != columns / 2 ||
      columns > 256)
    d.unknown();
  return product;
}
