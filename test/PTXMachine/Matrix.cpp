// Matrices in shared memory and the products of one warp (mma.sync). PTX ISA,
// "Matrix fragments": which lane holds which element.
#include "Decoder.h"
#include "Numbers.h"

#include <cstring>

using namespace attn::ptx;

namespace {

/// values: matrices, whether transposed.
void loadMatrix(Warp &w, const Instruction &i, Mask) {
  int matrices = int(i.values[0]);
  for (int m = 0; m < matrices; ++m) {
    uint16_t elements[8][8];
    for (int r = 0; r < 8; ++r) {
      uint64_t row = addressOf(w, i.operands[1], 8 * m + r);
      if (row % 16)
        throw Fault("a row of a matrix at shared address " +
                    std::to_string(row));
      std::memcpy(elements[r], w.block.sharedAt(row, 16), 16);
    }
    auto *d = w.lanes<uint32_t>(i.operands[0].parts[m]);
    for (int l = 0; l < kLanes; ++l) {
      int r = l / 4, c = l % 4 * 2;
      d[l] = i.values[1] ? elements[c][r] | uint32_t(elements[c + 1][r]) << 16
                         : elements[r][c] | uint32_t(elements[r][c + 1]) << 16;
    }
  }
}

void storeMatrix(Warp &w, const Instruction &i, Mask) {
  int matrices = int(i.values[0]);
  for (int m = 0; m < matrices; ++m) {
    const auto *a = w.lanes<uint32_t>(i.operands[1].parts[m]);
    uint16_t elements[8][8];
    for (int l = 0; l < kLanes; ++l)
      for (int half = 0; half < 2; ++half) {
        int r = l / 4, c = l % 4 * 2 + half;
        (i.values[1] ? elements[c][r] : elements[r][c]) =
            uint16_t(a[l] >> (16 * half));
      }
    for (int r = 0; r < 8; ++r) {
      uint64_t row = addressOf(w, i.operands[0], 8 * m + r);
      if (row % 16)
        throw Fault("a row of a matrix at shared address " +
                    std::to_string(row));
      std::memcpy(w.block.sharedAt(row, 16), elements[r], 16);
    }
  }
}

/// d = a b + c for 16 rows and 8 columns; a, b are arrays of floats.
template <int kDepth>
void accumulate(Warp &w, const Instruction &i, const float (&a)[16][kDepth],
                const float (&b)[kDepth][8]) {
  for (int l = 0; l < kLanes; ++l)
    for (int e = 0; e < 4; ++e) {
      int r = l / 4 + e / 2 * 8, c = l % 4 * 2 + e % 2;
      float sum = w.lanes<float>(i.operands[3].parts[e])[l];
      for (int k = 0; k < kDepth; ++k)
        sum += a[r][k] * b[k][c];
      w.lanes<float>(i.operands[0].parts[e])[l] = sum;
    }
}

template <typename Half> void product16(Warp &w, const Instruction &i, Mask) {
  float a[16][16], b[16][8];
  auto half = [](uint32_t word, int which) -> float {
    return Half{uint16_t(word >> (16 * which))};
  };
  for (int l = 0; l < kLanes; ++l)
    for (int h = 0; h < 2; ++h) {
      int g = l / 4, t = l % 4 * 2 + h;
      for (int word = 0; word < 4; ++word)
        a[g + word % 2 * 8][t + word / 2 * 8] =
            half(w.lanes<uint32_t>(i.operands[1].parts[word])[l], h);
      for (int word = 0; word < 2; ++word)
        b[t + word * 8][g] =
            half(w.lanes<uint32_t>(i.operands[2].parts[word])[l], h);
    }
  accumulate<16>(w, i, a, b);
}

/// tf32: the matrix unit reads the upper 19 bits.
void product8(Warp &w, const Instruction &i, Mask) {
  float a[16][8], b[8][8];
  auto cut = [](uint32_t word) { return bitsAs<float>(word & ~0x1fffu); };
  for (int l = 0; l < kLanes; ++l) {
    int g = l / 4, t = l % 4;
    for (int word = 0; word < 4; ++word)
      a[g + word % 2 * 8][t + word / 2 * 4] =
          cut(w.lanes<uint32_t>(i.operands[1].parts[word])[l]);
    for (int word = 0; word < 2; ++word)
      b[t + word * 4][g] = cut(w.lanes<uint32_t>(i.operands[2].parts[word])[l]);
  }
  accumulate<8>(w, i, a, b);
}

} // namespace

Handler attn::ptx::decodeMatrix(Decoder &d) {
  const std::string &name = d.name();
  if (name == "ldmatrix" || name == "stmatrix") {
    d.collective();
    bool load = name == "ldmatrix";
    d.instruction.values[0] = d.has("x4") ? 4 : d.has("x2") ? 2 : 1;
    d.instruction.values[1] = d.has("trans");
    if (load)
      d.vector(0, 4);
    d.address(load ? 1 : 0);
    if (!load)
      d.vector(1, 4);
    return load ? loadMatrix : storeMatrix;
  }
  if (name != "mma" || !d.has("row") || !d.has("col"))
    return nullptr;
  d.collective();
  for (size_t i = 0; i < 4; ++i)
    d.vector(i, 4);
  if (d.has("m16n8k8") && d.has("tf32"))
    return product8;
  if (!d.has("m16n8k16") || d.parts.back() != "f32")
    return nullptr;
  return d.has("bf16")  ? product16<BFloat16>
         : d.has("f16") ? product16<Float16>
                        : Handler(nullptr);
}
