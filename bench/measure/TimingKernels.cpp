// Waiting, reading and doing nothing on a GPU.
#include "measure/TimingKernels.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

// The wait sleeps between looks at the clock, so that the chip rests. What is
// read is combined and compared with a number that nobody can foresee not to
// come out, or the loads would be left away. A stream copies chunks of 16 KiB
// into a ring of three in shared memory, where nobody looks: with four blocks
// on a multiprocessor 190 KiB are under way, more than any latency needs.
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

.visible .entry attn_bench_stream(
  .param .u64 attn_bench_stream_0,
  .param .u64 attn_bench_stream_1
)
{
  .shared .align 16 .b8 ring[49152];
  .reg .pred %p<3>;
  .reg .b32 %r<7>;
  .reg .b64 %rd<7>;
  ld.param.u64 %rd1, [attn_bench_stream_0];
  ld.param.u64 %rd2, [attn_bench_stream_1];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %nctaid.x;
  mov.u32 %r3, %tid.x;
  add.s64 %rd2, %rd1, %rd2;
  mul.wide.u32 %rd3, %r1, 16384;
  add.s64 %rd1, %rd1, %rd3;
  mul.wide.u32 %rd4, %r3, 16;
  add.s64 %rd5, %rd1, %rd4;
  mul.wide.u32 %rd6, %r2, 16384;
  shl.b32 %r3, %r3, 4;
  mov.u32 %r4, ring;
  add.s32 %r4, %r4, %r3;
  add.s32 %r6, %r4, 49152;
  mov.u32 %r5, %r4;
$more:
  setp.ge.u64 %p1, %rd1, %rd2;
  @%p1 bra $last;
  cp.async.cg.shared.global [%r5], [%rd5], 16;
  cp.async.cg.shared.global [%r5+4096], [%rd5+4096], 16;
  cp.async.cg.shared.global [%r5+8192], [%rd5+8192], 16;
  cp.async.cg.shared.global [%r5+12288], [%rd5+12288], 16;
  cp.async.commit_group;
  cp.async.wait_group 2;
  add.s64 %rd1, %rd1, %rd6;
  add.s64 %rd5, %rd5, %rd6;
  add.s32 %r5, %r5, 16384;
  setp.lt.u32 %p2, %r5, %r6;
  @%p2 bra $more;
  mov.u32 %r5, %r4;
  bra.uni $more;
$last:
  cp.async.wait_all;
  ret;
}

.visible .entry attn_bench_nothing()
{
  ret;
}
)";
}

Result<TimingKernels> TimingKernels::load() {
  ATTN_TRY_ASSIGN(cuda::Module module, cuda::Module::fromPTX(ptx()));
  ATTN_TRY_ASSIGN(cuda::Function waits, module.function("attn_bench_wait"));
  ATTN_TRY_ASSIGN(cuda::Function reads, module.function("attn_bench_read"));
  ATTN_TRY_ASSIGN(cuda::Function streams, module.function("attn_bench_stream"));
  ATTN_TRY_ASSIGN(cuda::Function nothing,
                  module.function("attn_bench_nothing"));
  ATTN_TRY_ASSIGN(cuda::Buffer sink, cuda::Buffer::allocate(8));
  return TimingKernels(std::move(module), {waits, reads, streams, nothing},
                       std::move(sink));
}

Result<void> TimingKernels::wait(double seconds, cuda::Stream queue) const {
  cuda::DevicePointer place = sink.address();
  auto nanoseconds = uint64_t(std::max(0.0, seconds) * 1e9);
  void *parameters[] = {&place, &nanoseconds};
  return cuda::launch(entries.wait, {}, parameters, queue);
}

Result<void> TimingKernels::read(cuda::DevicePointer from, int64_t bytes,
                                 int blocks, cuda::Stream queue) const {
  cuda::DevicePointer place = sink.address();
  auto pieces = uint64_t(bytes / 16);
  void *parameters[] = {&place, &from, &pieces};
  cuda::LaunchShape shape;
  shape.grid[0] = unsigned(blocks);
  shape.block[0] = kThreads;
  return cuda::launch(entries.read, shape, parameters, queue);
}

Result<void> TimingKernels::stream(cuda::DevicePointer from, int64_t bytes,
                                   int blocks, cuda::Stream queue) const {
  auto count = uint64_t(bytes / kChunk * kChunk);
  void *parameters[] = {&from, &count};
  cuda::LaunchShape shape;
  shape.grid[0] = unsigned(blocks);
  shape.block[0] = kThreads;
  return cuda::launch(entries.stream, shape, parameters, queue);
}

Result<void> TimingKernels::nothing(cuda::Stream queue) const {
  return cuda::launch(entries.nothing, {}, nullptr, queue);
}
