// A program of a user of the C++ API: built without any MLIR, LLVM or CUDA
// header on its include path, against attn/API and against libattn.so, whose
// C++ interface has the same names. Runs a mod file and prints the output's
// first channel.
#include ATTN_HEADER

#include <cstdio>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MOD.mlir\n", argv[0]);
    return 2;
  }
  attn::Result<attn::Mod> mod = attn::Mod::fromFile(argv[1]);
  if (!mod) {
    std::fprintf(stderr, "%s\n", mod.error().c_str());
    return 1;
  }
  attn::KernelSpec spec;
  spec.headDim = spec.valueDim = 8;
  auto kernel = attn::AttentionKernel::compile(*mod, spec);
  if (!kernel) {
    std::fprintf(stderr, "%s\n", kernel.error().c_str());
    return 1;
  }

  // One head of four positions; equal scores, so that a row of the result is
  // the mean of the values that it sees.
  constexpr int64_t length = 4, channels = 8;
  std::vector<float> query(length * channels, 1), key(query), value(query),
      out(query);
  for (int64_t i = 0; i < length; ++i)
    value[i * channels] = static_cast<float>(i);
  auto view = [](std::vector<float> &data) {
    return attn::TensorView{data.data(),
                            attn::ElementType::F32,
                            {1, 1, length, channels},
                            {length * channels, length * channels, channels}};
  };
  attn::ProblemSizes sizes{1, 1, 1, length, length, channels, channels, 1};
  auto captures = mod->makeCaptures(sizes);
  if (!captures) {
    std::fprintf(stderr, "%s\n", captures.error().c_str());
    return 1;
  }
  attn::Result<void> run = kernel->run(view(query), view(key), view(value),
                                       attn::viewsOf(*captures), view(out));
  if (!run) {
    std::fprintf(stderr, "%s\n", run.error().c_str());
    return 1;
  }
  std::printf("%s:", mod->name().c_str());
  for (int64_t i = 0; i < length; ++i)
    std::printf(" %.2f", out[i * channels]);
  std::printf("\n");
  return 0;
}
