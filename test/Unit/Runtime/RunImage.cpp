// run-image IMAGE BATCH,HEADS,QUERIES,KEYS,DIM: runs a forward kernel of bf16
// without captures, as a program does that has the runtime and nothing of the
// compiler, and compares it with the definition. Prints the largest errors.
#include "attn/Runtime/LoadedKernel.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace attn;

namespace {

struct Sizes {
  long batch, heads, queries, keys, dim;
};

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "run-image: error: %s\n", message.c_str());
  std::exit(1);
}
template <typename T> T orFail(Result<T> result) {
  if (!result)
    fail(result.error());
  return std::move(*result);
}
void orFail(Result<void> result) {
  if (!result)
    fail(result.error());
}

float fromBits(uint16_t bits) {
  uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

/// Contiguous memory of the GPU: [batch][heads][rows][dim], bf16.
class Tensor {
public:
  Tensor(std::vector<int64_t> sizes, unsigned seed)
      : sizes(std::move(sizes)), host(1) {
    for (int64_t size : this->sizes)
      host.resize(host.size() * size);
    for (uint16_t &bits : host) {
      seed = seed * 1664525 + 1013904223;
      // From 1/4 to 2, of both signs.
      bits = static_cast<uint16_t>((seed >> 16 & 0x8000) | 0x3e80 |
                                   (seed >> 8 & 0x017f));
    }
    memory = orFail(cuda::Buffer::allocate(bytes()));
    const cuda::Driver &cu = *orFail(cuda::driver());
    orFail(cu.check(
        cu.memcpyHtoDAsync(memory.address(), host.data(), bytes(), nullptr),
        "cuMemcpyHtoDAsync"));
  }
  void bind(Bindings &bindings, Role role) const {
    bindings.memory({role}, memory.data(), sizes);
  }
  void read() {
    const cuda::Driver &cu = *orFail(cuda::driver());
    orFail(cu.check(
        cu.memcpyDtoHAsync(host.data(), memory.address(), bytes(), nullptr),
        "cuMemcpyDtoHAsync"));
    orFail(cu.check(cu.streamSynchronize(nullptr), "cuStreamSynchronize"));
  }
  float at(int64_t row, int64_t channel) const {
    return fromBits(host[row * sizes[3] + channel]);
  }

private:
  int64_t bytes() const { return static_cast<int64_t>(2 * host.size()); }
  std::vector<int64_t> sizes;
  std::vector<uint16_t> host;
  cuda::Buffer memory;
};

KernelImage read(const char *path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    fail(std::string("cannot read ") + path);
  std::stringstream text;
  text << file.rdbuf();
  return orFail(KernelImage::load(text.str()));
}

/// The largest difference of a row of the output from its definition.
double errorOf(const Sizes &s, const Tensor &q, const Tensor &k,
               const Tensor &v, const Tensor &out, bool causal) {
  double worst = 0;
  for (long head = 0; head < s.batch * s.heads; ++head)
    for (long i = 0; i < s.queries; ++i) {
      std::vector<double> sum(s.dim);
      double weights = 0;
      for (long j = 0; j < (causal ? i + 1 : s.keys); ++j) {
        double score = 0;
        for (long c = 0; c < s.dim; ++c)
          score += double(q.at(head * s.queries + i, c)) *
                   k.at(head * s.keys + j, c);
        double weight = std::exp(score / std::sqrt(double(s.dim)));
        weights += weight;
        for (long c = 0; c < s.dim; ++c)
          sum[c] += weight * v.at(head * s.keys + j, c);
      }
      for (long c = 0; c < s.dim; ++c)
        worst = std::fmax(worst, std::fabs(sum[c] / weights -
                                           out.at(head * s.queries + i, c)));
    }
  return worst;
}

} // namespace

int main(int argc, char **argv) {
  Sizes s;
  if (argc < 3 || std::sscanf(argv[2], "%ld,%ld,%ld,%ld,%ld", &s.batch,
                              &s.heads, &s.queries, &s.keys, &s.dim) != 5)
    fail("expects IMAGE BATCH,HEADS,QUERIES,KEYS,DIM [causal]");
  bool causal = argc > 3 && !std::strcmp(argv[3], "causal");
  KernelImage image = read(argv[1]);
  orFail(cuda::useDevice(0));
  auto kernels = orFail(cuda::LoadedKernel::load(image));
  if (kernels.size() != 1)
    fail("expects an image of one kernel");
  Tensor q({s.batch, s.heads, s.queries, s.dim}, 1),
      k({s.batch, s.heads, s.keys, s.dim}, 2),
      v({s.batch, s.heads, s.keys, s.dim}, 3),
      out({s.batch, s.heads, s.queries, s.dim}, 4);
  Bindings bindings;
  q.bind(bindings, Role::Query), k.bind(bindings, Role::Key);
  v.bind(bindings, Role::Value), out.bind(bindings, Role::Out);
  int64_t tile = kernels[0].entry().queryTile;
  orFail(kernels[0].launch(s.batch * s.heads * ((s.queries + tile - 1) / tile),
                           bindings, nullptr));
  out.read();
  double error = errorOf(s, q, k, v, out, causal);
  std::printf("%s for %s: largest error %.5f\n",
              kernels[0].entry().name.c_str(), image.target.c_str(), error);
  return error < 0.02 ? 0 : 1;
}
