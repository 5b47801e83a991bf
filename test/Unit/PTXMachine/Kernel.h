// Small kernels for the tests of the machine: their PTX is written out.
#ifndef ATTN_TEST_UNIT_PTXMACHINE_KERNEL_H
#define ATTN_TEST_UNIT_PTXMACHINE_KERNEL_H

#include "../../PTXMachine/Machine.h"
#include "../../PTXMachine/TensorMap.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace attn::ptx {

/// `body` as a kernel with parameters a, b and c of 64 bits (m: a tensor map),
/// and registers of every kind.
inline std::string kernelText(const std::string &body) {
  return ".version 8.6\n.target sm_90a\n.address_size 64\n"
         ".visible .entry k(.param .u64 a, .param .u64 b, .param .u64 c, "
         ".param .align 64 .b8 m[128])\n.maxntid 512, 1, 1\n{\n"
         ".reg .pred %p<8>;\n.reg .b16 %h<8>;\n.reg .b32 %r<64>;\n"
         ".reg .b64 %d<16>;\n.shared .align 16 .b8 memory;\n" +
         body + "\nret;\n}\n";
}

/// Memory that a kernel may touch, and what it is started with.
struct Launch {
  Timing timing = Timing::Random;
  unsigned threads = 32, blocks = 1, seed = 1;
  int64_t sharedBytes = 0;
  uint64_t a = 0, b = 0, c = 0;
  std::vector<char> map = std::vector<char>(128);
  std::vector<std::pair<uint64_t, uint64_t>> allocations;

  /// Registers a vector as device memory.
  template <typename T> uint64_t memory(std::vector<T> &values) {
    auto address = reinterpret_cast<uint64_t>(values.data());
    allocations.emplace_back(address, values.size() * sizeof(T));
    return address;
  }

  /// Makes m the map of `rows` rows of 64 halves, with swizzled boxes of 8.
  void mapRows(uint64_t address, uint64_t rows) {
    TensorMap tensor = {};
    tensor.magic = TensorMap::kMagic;
    tensor.rank = 4;
    tensor.elementBytes = 2;
    tensor.address = address;
    uint64_t sizes[] = {64, rows, 1, 1},
             strides[] = {128, 128 * rows, 128 * rows};
    uint16_t box[] = {64, 8, 1, 1};
    std::copy(sizes, sizes + 4, tensor.sizes);
    std::copy(strides, strides + 3, tensor.strides);
    std::copy(box, box + 4, tensor.box);
    tensor.swizzle = 3;
    std::memcpy(map.data(), &tensor, sizeof(tensor));
  }

  /// Empty, or what the machine has to say.
  std::string operator()(const std::string &body) {
    try {
      auto kernels = parse(kernelText(body));
      std::unique_ptr<Code> code = decode(std::move(kernels.at("k")));
      Options options;
      options.timing = timing;
      options.seed = seed;
      options.accessible = [this](uint64_t address, uint64_t bytes) {
        for (auto [start, size] : allocations)
          if (address >= start && address + bytes <= start + size)
            return true;
        return false;
      };
      void *parameters[] = {&a, &b, &c, map.data()};
      launch(*code, {blocks, 1, 1}, {threads, 1, 1}, sharedBytes, parameters,
             options);
      return "";
    } catch (const Fault &fault) {
      return fault.what();
    }
  }
};

} // namespace attn::ptx

#endif // ATTN_TEST_UNIT_PTXMACHINE_KERNEL_H
