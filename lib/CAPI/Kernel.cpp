// Kernels of the forward pass, and their lists of tiles.
#include "Arguments.h"
#include "Handles.h"
#include "Values.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::capi;

attn_status attn_kernel_compile(const attn_mod *mod, const attn_spec *spec,
                                attn_kernel **kernel) {
  ATTN_EXPECT(expect(kernel, "kernel"));
  *kernel = nullptr;
  ATTN_EXPECT(expect(mod, "mod"));
  Result<KernelSpec> read = specOf(spec);
  ATTN_EXPECT(read);
  auto compiled = AttentionKernel::compile(mod->mod, *read);
  if (!compiled)
    return statusOf(compiled);
  return give(kernel, std::move(*compiled), mod->mod.captures());
}

attn_status attn_kernel_check(const attn_mod *mod, const attn_spec *spec) {
  ATTN_EXPECT(expect(mod, "mod"));
  Result<KernelSpec> read = specOf(spec);
  ATTN_EXPECT(read);
  return statusOf(AttentionKernel::check(mod->mod, *read));
}

void attn_kernel_retain(attn_kernel *kernel) { retain(kernel); }
void attn_kernel_release(attn_kernel *kernel) { release(kernel); }

void attn_tiles_retain(attn_tiles *tiles) { retain(tiles); }
void attn_tiles_release(attn_tiles *tiles) { release(tiles); }
int64_t attn_tiles_bytes(const attn_tiles *tiles) {
  return tiles ? tiles->lists.bytes() : 0;
}

attn_status attn_kernel_run(const attn_kernel *kernel,
                            const attn_arguments *arguments) {
  ATTN_EXPECT(expect(kernel, "kernel"));
  Result<AttentionArguments> read = argumentsOf(arguments, kernel->captures);
  ATTN_EXPECT(read);
  return statusOf(kernel->kernel.run(*read));
}

attn_status attn_kernel_prepare(const attn_kernel *kernel,
                                const attn_sizes *smallest,
                                const attn_sizes *largest) {
  ATTN_EXPECT(expect(kernel, "kernel"));
  if (!smallest && !largest)
    return statusOf(kernel->kernel.prepare());
  Result<SizeRange> range = rangeOf(smallest, largest);
  ATTN_EXPECT(range);
  return statusOf(kernel->kernel.prepare(*range));
}

attn_status attn_kernel_workspace_bytes(const attn_kernel *kernel,
                                        const attn_sizes *smallest,
                                        const attn_sizes *largest,
                                        int64_t *bytes) {
  ATTN_EXPECT(expect(bytes, "bytes"));
  *bytes = 0;
  ATTN_EXPECT(expect(kernel, "kernel"));
  Result<SizeRange> range = rangeOf(smallest, largest);
  ATTN_EXPECT(range);
  Result<int64_t> needed = kernel->kernel.workspaceBytes(*range);
  if (needed)
    *bytes = *needed;
  return statusOf(needed);
}

int32_t attn_kernel_needs_tiles(const attn_kernel *kernel) {
  return kernel && kernel->kernel.needsTileLists();
}

attn_status attn_kernel_find_tiles(const attn_kernel *kernel,
                                   const attn_sizes *sizes,
                                   const attn_capture *captures,
                                   size_t capture_count, void *stream,
                                   const attn_tiles *reuse,
                                   attn_tiles **tiles) {
  ATTN_EXPECT(expect(tiles, "tiles"));
  *tiles = nullptr;
  ATTN_EXPECT(expect(kernel, "kernel"));
  Result<ProblemSizes> problem = sizesOf(sizes, "sizes");
  ATTN_EXPECT(problem);
  auto views = capturesOf(captures, capture_count, kernel->captures);
  ATTN_EXPECT(views);
  Result<TileLists> found = kernel->kernel.findTiles(
      *problem, *views, stream, reuse ? reuse->lists : TileLists());
  if (!found)
    return statusOf(found);
  return give(tiles, std::move(*found));
}

int64_t attn_kernel_query_tile(const attn_kernel *kernel) {
  return kernel ? kernel->kernel.queryTile() : 0;
}
int64_t attn_kernel_key_tile(const attn_kernel *kernel) {
  return kernel ? kernel->kernel.keyTile() : 0;
}

double attn_kernel_compile_seconds(const attn_kernel *kernel) {
  return kernel ? kernel->kernel.compileSeconds() : 0;
}
const char *attn_kernel_schedule(const attn_kernel *kernel) {
  return kernel ? kernel->kernel.schedule().c_str() : "";
}
