// Loads the kernels of an image for the CPU: what needs no compiler.
#include <attn/Runtime/LoadedCPUKernel.h>

#include <cstdio>
#include <fstream>
#include <iterator>

int main(int, char **argv) {
  std::ifstream file(argv[1], std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  auto image = attn::KernelImage::load(bytes);
  if (!image)
    return std::printf("%s\n", image.error().c_str()), 1;
  auto kernels = attn::cpu::LoadedKernel::load(*image);
  if (!kernels)
    return std::printf("%s\n", kernels.error().c_str()), 1;
  for (const attn::cpu::LoadedKernel &kernel : *kernels)
    std::printf("%s\n", kernel.entry().name.c_str());
  return 0;
}
