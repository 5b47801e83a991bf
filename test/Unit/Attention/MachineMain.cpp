// Starts the attention cases for a GPU of host memory: test/PTXMachine runs the
// very PTX that a GPU would get. ATTN_TEST_PORTABLE: the kernels that every GPU
// can run.
#include "../Doubles/FakeCUDADriver.h"
#include "Harness.h"
#include "ManyCases.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

/// What is about size.
#define FOR_A_GPU                                                              \
  "*GradientInvariants*:GradientDifferences.*:GradientEdges.*32Bits:"          \
  "GradientEdges.GiveTheSameBits*:*GradientsOf*_104:Pages.*32Bits"

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  cuda::FakeCUDA *gpu = useFakeCUDA();
  gpu->runsKernels = true;
  gpu->memoryBytes = size_t(4) << 30;
  gpu->multiprocessors = 3; // so that persistent blocks have many tasks
  selectTarget(Target::CUDA);
  selectInterpreted();
  // What mods do to gradients of f32 they do to those of bf16, and one mod has
  // captures of all kinds. Offsets of zero and of each batch are among others.
  // Kernels for pages, packed rows, parts, and those for threads are the
  // portable ones: here some show that they are taken.
  if (testing::GTEST_FLAG(filter) == "*" && !ATTN_TEST_PORTABLE)
    testing::GTEST_FLAG(filter) =
        "-*GradientsOf*/rel_f32:*GradientsOf*/head_bias_f32:"
        "*GradientsOf*/prefix_lm_f32:*GradientsOf*/sliding_window_f32:"
        "*GradientsOf*/alibi_f32:*GradientsOf*_long:"
        "All/GradientsOfCaptures.*:All/QueryOffsets.OfPatterns/Zero:"
        "All/QueryOffsets.OfPatterns/PerBatch:"
        "Pages.Of*:Pages.W*:Pages.G*:Pages.T*:PageMistakes.*:*PageRows.*:"
        "Packed.AnyNumber*:Packed.Heads*:Packed.Rows*:Packed.Queries*:"
        "*Shares.*:Chunks.*:Append*:Merge*:RaggedMistakes*"
        ":" ATTN_MANY_CASES_OF_A_GPU ":" FOR_A_GPU;
  if (ATTN_TEST_PORTABLE) {
    selectPortable();
    // Kernels for f32 and for lists of tiles are the same without it, and
    // some schedules are none of these kernels'. Gradients of 16 bits differ
    // from those of f32 in products alone, which one width of each kind shows.
    // Math and masks are lowered for both alike.
    if (testing::GTEST_FLAG(filter) == "*")
      testing::GTEST_FLAG(filter) =
          "-*_f32_*:*GradientsOf*_f32:*GradientsOf*long:*GradientsOf*_values:"
          "*GradientsOf*/head_bias_bf16:*GradientsOf*/prefix_lm_bf16:"
          "*GradientsOfCaptures*:CaptureGradient.*:*GradientsOf*_24:"
          "*GradientsOf*_72:*GradientsOf*_96:*GradientsOf*_192:Mistakes.*:"
          "TileLists.*:MaskAnalysis.*:Masks/*:"
          "*Schedules.*:ScheduleLengths.*:ScheduleWidths.*:Captures.Tiles*:"
          "Captures.OfTheSoftmax*:Gradient.WhatIsMasked*:*/MathSweep.*:"
          "*QueryOffsets.OfPatterns*:*RaggedSequences.OfPatterns*:"
          "RaggedMistakes*:Lengths.OfGradients:" ATTN_MANY_CASES_OF_A_GPU
          ":" FOR_A_GPU;
  }
  return RUN_ALL_TESTS();
}
