// Kernels of gradients, and their lists of tiles.
#include "Arguments.h"
#include "Handles.h"
#include "Values.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::capi;

attn_status attn_gradient_compile(const attn_mod *mod, const attn_spec *spec,
                                  const char *const *wrt, size_t wrt_count,
                                  attn_gradient **gradient) {
  ATTN_EXPECT(expect(gradient, "gradient"));
  *gradient = nullptr;
  ATTN_EXPECT(expect(mod, "mod"));
  Result<KernelSpec> read = specOf(spec);
  ATTN_EXPECT(read);
  const std::vector<CaptureInfo> &captures = mod->mod.captures();
  auto names = namesOf(wrt, wrt_count, captures.size());
  ATTN_EXPECT(names);
  auto compiled = GradientKernel::compile(mod->mod, *read, *names);
  if (!compiled)
    return statusOf(compiled);
  return give(gradient, std::move(*compiled), captures, wrt_count);
}

void attn_gradient_retain(attn_gradient *gradient) { retain(gradient); }
void attn_gradient_release(attn_gradient *gradient) { release(gradient); }

void attn_gradient_tiles_retain(attn_gradient_tiles *tiles) { retain(tiles); }
void attn_gradient_tiles_release(attn_gradient_tiles *tiles) { release(tiles); }

attn_status attn_gradient_run(const attn_gradient *gradient,
                              const attn_gradient_arguments *arguments) {
  ATTN_EXPECT(expect(gradient, "gradient"));
  Result<GradientArguments> read =
      argumentsOf(arguments, gradient->captures, gradient->wrt);
  ATTN_EXPECT(read);
  return statusOf(gradient->kernel.run(*read));
}

attn_status attn_gradient_prepare(const attn_gradient *gradient,
                                  const attn_sizes *smallest,
                                  const attn_sizes *largest) {
  ATTN_EXPECT(expect(gradient, "gradient"));
  if (!smallest && !largest)
    return statusOf(gradient->kernel.prepare());
  Result<SizeRange> range = rangeOf(smallest, largest);
  ATTN_EXPECT(range);
  return statusOf(gradient->kernel.prepare(*range));
}

attn_status
attn_gradient_prepare_like(const attn_gradient *gradient,
                           const attn_gradient_arguments *arguments) {
  ATTN_EXPECT(expect(gradient, "gradient"));
  Result<GradientArguments> read =
      argumentsOf(arguments, gradient->captures, gradient->wrt);
  ATTN_EXPECT(read);
  return statusOf(gradient->kernel.prepare(*read));
}

attn_status attn_gradient_workspace_bytes(const attn_gradient *gradient,
                                          const attn_sizes *smallest,
                                          const attn_sizes *largest,
                                          const attn_capture *captures,
                                          size_t capture_count,
                                          int64_t *bytes) {
  ATTN_EXPECT(expect(bytes, "bytes"));
  *bytes = 0;
  ATTN_EXPECT(expect(gradient, "gradient"));
  Result<SizeRange> range = rangeOf(smallest, largest);
  ATTN_EXPECT(range);
  std::vector<CaptureView> views;
  if (gradient->wrt || capture_count) {
    auto read = capturesOf(captures, capture_count, gradient->captures);
    ATTN_EXPECT(read);
    views = std::move(*read);
  }
  // Of one problem to the byte: a range is an upper bound.
  *bytes = largest ? gradient->kernel.workspaceBytes(*range, views)
                   : gradient->kernel.workspaceBytes(range->smallest, views);
  return ATTN_OK;
}

attn_status attn_gradient_find_tiles(const attn_gradient *gradient,
                                     const attn_sizes *sizes,
                                     const attn_capture *captures,
                                     size_t capture_count, void *stream,
                                     attn_gradient_tiles **tiles) {
  ATTN_EXPECT(expect(tiles, "tiles"));
  *tiles = nullptr;
  ATTN_EXPECT(expect(gradient, "gradient"));
  Result<ProblemSizes> problem = sizesOf(sizes, "sizes");
  ATTN_EXPECT(problem);
  auto views = capturesOf(captures, capture_count, gradient->captures);
  ATTN_EXPECT(views);
  auto found = gradient->kernel.findTiles(*problem, *views, stream);
  if (!found)
    return statusOf(found);
  return give(tiles, std::move(*found));
}

double attn_gradient_compile_seconds(const attn_gradient *gradient) {
  return gradient ? gradient->kernel.compileSeconds() : 0;
}
const char *attn_gradient_schedule(const attn_gradient *gradient) {
  return gradient ? gradient->kernel.schedule().c_str() : "";
}
