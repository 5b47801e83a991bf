// Waiting and reading on a GPU.
#include "measure/TimingKernels.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

// The wait sleeps between looks at the clock, so that the chip rests. What is
// read is combined and compared with a number that nobody can foresee not to
// come out, or the loads would be left away.
const char *TimingKernels::ptx() {
  return R"(.version 7.1
.target sm_80
.address_size 64

.visible .entry attn_bench_wait(
  .param .u64 attn_bench_wait_0,
  .param .u64 attn_bench_wait_1
)
{
  .reg .pred %p<2>;
  .reg .b64 %rd<5>;
  mov.u64 %rd1, %globaltimer;
  ld.param.u64 %rd2, [attn_bench_wait_0];
  ld.param.u64 %rd3, [attn_bench_wait_1];
  add.s64 %rd3, %rd1, %rd3;
$look:
  mov.u64 %rd4, %globaltimer;
  setp.ge.u64 %p1, %rd4, %rd3;
  @%p1 bra $done;
  nanosleep.u32 200;
  bra.uni $look;
$done:
  st.global.u64 [%rd2], %rd4;
  ret;
}

.visible .entry attn_bench_read(
  .param .u64 attn_bench_read_0,
  .param .u64 attn_bench_read_1,
  .param .u64 attn_bench_read_2
)
{
  .reg .pred %p<3>;
  .reg .b32 %r<10>;
  .reg .b64 %rd<9>;
  ld.param.u64 %rd1, [attn_bench_read_0];
  ld.param.u64 %rd2, [attn_bench_read_1];
  ld.param.u64 %rd3, [attn_bench_read_2];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %nctaid.x;
  mov.u32 %r4, %tid.x;
  mul.wide.u32 %rd4, %r1, %r2;
  cvt.u64.u32 %rd5, %r4;
  add.s64 %rd4, %rd4, %rd5;
  mul.wide.u32 %rd6, %r2, %r3;
  mov.u32 %r5, 0;
$next:
  setp.ge.u64 %p1, %rd4, %rd3;
  @%p1 bra $all;
  shl.b64 %rd7, %rd4, 4;
  add.s64 %rd8, %rd2, %rd7;
  ld.global.v4.u32 {%r6, %r7, %r8, %r9}, [%rd8];
  xor.b32 %r5, %r5, %r6;
  xor.b32 %r5, %r5, %r7;
  xor.b32 %r5, %r5, %r8;
  xor.b32 %r5, %r5, %r9;
  add.s64 %rd4, %rd4, %rd6;
  bra.uni $next;
$all:
  setp.ne.u32 %p2, %r5, 1640531527;
  @%p2 bra $end;
  st.global.u32 [%rd1], %r5;
$end:
  ret;
}
)";
}

Result<TimingKernels> TimingKernels::load() {
  ATTN_TRY_ASSIGN(cuda::Module module, cuda::Module::fromPTX(ptx()));
  ATTN_TRY_ASSIGN(cuda::Function waits, module.function("attn_bench_wait"));
  ATTN_TRY_ASSIGN(cuda::Function reads, module.function("attn_bench_read"));
  ATTN_TRY_ASSIGN(cuda::Buffer sink, cuda::Buffer::allocate(8));
  return TimingKernels(std::move(module), waits, reads, std::move(sink));
}

Result<void> TimingKernels::wait(double seconds, cuda::Stream queue) const {
  cuda::DevicePointer place = sink.address();
  auto nanoseconds = uint64_t(std::max(0.0, seconds) * 1e9);
  void *parameters[] = {&place, &nanoseconds};
  return cuda::launch(waits, {}, parameters, queue);
}

Result<void> TimingKernels::read(cuda::DevicePointer from, int64_t bytes,
                                 int blocks, cuda::Stream queue) const {
  cuda::DevicePointer place = sink.address();
  auto pieces = uint64_t(bytes / 16);
  void *parameters[] = {&place, &from, &pieces};
  cuda::LaunchShape shape;
  shape.grid[0] = unsigned(blocks);
  shape.block[0] = kThreads;
  return cuda::launch(reads, shape, parameters, queue);
}
