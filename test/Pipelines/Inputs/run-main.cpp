// Runs the function `main` of an object that attn-translate made, and fails if
// it does not free all that it allocates. Link with --wrap=malloc --wrap=free.
#include <cstdio>
#include <cstdlib>

extern "C" {
void packed_main(void **arguments);
void *__real_malloc(size_t bytes);
void __real_free(void *memory);

static long allocated, freed;

void *__wrap_malloc(size_t bytes) {
  ++allocated;
  return __real_malloc(bytes);
}
void __wrap_free(void *memory) {
  freed += memory != nullptr;
  __real_free(memory);
}
}

int main() {
  packed_main(nullptr);
  std::fprintf(stderr, "%ld allocated, %ld freed\n", allocated, freed);
  return allocated == 0 || allocated != freed;
}
