// What a schedule must satisfy: the constraints of AttnAttrs.td, by part.
#include "attn/Dialect/Attn/IR/AttnDialect.h"

using namespace mlir;
using namespace mlir::attn;

using EmitError = function_ref<InFlightDiagnostic()>;

static LogicalResult verify(const Tiling &tiling, EmitError emitError) {
  // C1
  for (auto [name, size] :
       {std::pair("q", tiling.q), std::pair("kv", tiling.kv)})
    if (size < 16 || size > 1024 || size % 16 != 0)
      return emitError() << "expects '" << name
                         << "' to be a multiple of 16 from 16 to 1024, got "
                         << size;
  // C2
  if (tiling.cache < 1 || tiling.cache > INT32_MAX)
    return emitError() << "expects 'cache' from 1 to 2147483647 bytes, got "
                       << tiling.cache;
  // C3
  if (tiling.once && !tiling.ownsKeys)
    return emitError() << "expects 'once' to go with 'owns_keys'";
  if (tiling.pack && tiling.ownsKeys)
    return emitError() << "expects 'pack' to go without 'owns_keys'";
  return success();
}

static LogicalResult verify(const WarpRoles &roles, EmitError emitError) {
  // C4
  if (roles.warps < 1 || roles.warps > 16)
    return emitError() << "expects 'warps' from 1 to 16, got " << roles.warps;
  // C5
  if (roles.producers != 0 && roles.producers != 4)
    return emitError() << "expects 'producers' 0 or 4, got " << roles.producers;
  if (roles.hasProducers() && roles.warps % 4 != 0)
    return emitError() << "expects 'warps' to be a multiple of 4 with "
                          "producers, got "
                       << roles.warps;
  // C6
  if (roles.pingpong && (!roles.hasProducers() || roles.warps != 8))
    return emitError() << "expects 'pingpong' to go with producers and 8 warps";
  // C7
  bool canShare = roles.hasProducers() && roles.warps == 4;
  if (roles.minBlocks < 1 || roles.minBlocks > (canShare ? 2 : 1))
    return emitError() << "expects 'min_blocks' 1, or 2 with producers and 4 "
                          "warps, got "
                       << roles.minBlocks;
  // C16
  if (!llvm::is_contained({1, 2, 4, 8}, roles.keyWarps))
    return emitError() << "expects 'key_warps' 1, 2, 4 or 8, got "
                       << roles.keyWarps;
  if (roles.keyWarps > 1 && (roles.warps != 1 || roles.hasProducers()))
    return emitError() << "expects 'key_warps' to go with 1 warp for each, and "
                          "without producers";
  return success();
}

static LogicalResult verify(const CopyPipeline &pipeline, EmitError emitError) {
  // C8
  if (pipeline.stages < 1 || pipeline.stages > 8)
    return emitError() << "expects 'stages' from 1 to 8, got "
                       << pipeline.stages;
  // C9
  if (pipeline.taskStages < 1 ||
      pipeline.taskStages > (pipeline.persistent ? 2 : 1))
    return emitError() << "expects 'task_stages' 1, or 2 where 'persistent', "
                          "got "
                       << pipeline.taskStages;
  // C10
  if (pipeline.eager && pipeline.taskStages != 2)
    return emitError() << "expects 'eager' to go with 2 'task_stages'";
  return success();
}

static LogicalResult verifyTogether(const Schedule &schedule,
                                    EmitError emitError) {
  const auto &[tiling, roles, pipeline] = schedule;
  int64_t rows = tiling.getRows(), forEach = 16 * roles.warps;
  // C11
  if (rows % forEach != 0)
    return emitError() << "expects '" << (tiling.ownsKeys ? "kv" : "q")
                       << "' to be a multiple of " << forEach
                       << ", 16 for each of " << roles.warps << " warps, got "
                       << rows;
  // C12
  if (roles.hasProducers() && (rows != forEach || pipeline.unaligned))
    return emitError() << "expects 'producers' to go with aligned memory and "
                          "16 rows for each warp, got "
                       << rows << " rows for " << roles.warps << " warps"
                       << (pipeline.unaligned ? ", 'unaligned'" : "");
  if (roles.hasProducers() && tiling.pack)
    return emitError() << "expects 'pack' to go without producers";
  // C14
  for (auto [name, isThere] : {std::pair("shares", tiling.shares),
                               std::pair("chunk", tiling.chunk != 0)})
    if (isThere && (tiling.ownsKeys || roles.hasProducers()))
      return emitError() << "expects '" << name
                         << "' to go without 'owns_keys' and producers";
  if (tiling.shares && tiling.chunk)
    return emitError() << "expects 'shares' or 'chunk', got both";
  if (tiling.chunk < 0 || tiling.chunk > 65536)
    return emitError() << "expects 'chunk' from 0 to 65536, got "
                       << tiling.chunk;
  // C15
  if (pipeline.dependent &&
      ((!tiling.hasParts() && !tiling.ownsKeys) || pipeline.unaligned))
    return emitError() << "expects 'dependent' to go with 'shares', 'chunk' or "
                          "'owns_keys', and without 'unaligned'";
  // C17
  if (roles.keyWarps > 1 && !tiling.hasParts())
    return emitError() << "expects 'key_warps' to go with 'shares' or 'chunk'";
  if (tiling.kv % (16 * roles.keyWarps) != 0)
    return emitError() << "expects 'kv' to be a multiple of "
                       << 16 * roles.keyWarps << ", 16 for each of "
                       << roles.keyWarps << " key warps, got " << tiling.kv;
  // C18
  if (pipeline.readOnce && (pipeline.unaligned || roles.hasProducers()))
    return emitError() << "expects 'read_once' to go without 'unaligned' and "
                          "producers";
  // C13
  if (roles.hasProducers())
    return success();
  if (pipeline.stages > 2)
    return emitError() << "expects 'stages' 1 or 2 without producers, got "
                       << pipeline.stages;
  if (pipeline.persistent || pipeline.drain || tiling.once)
    return emitError() << "expects 'persistent', 'drain' and 'once' to go with "
                          "producers";
  return success();
}

LogicalResult ScheduleAttr::verify(EmitError emitError, Tiling tiling,
                                   WarpRoles roles, CopyPipeline pipeline) {
  if (failed(::verify(tiling, emitError)) ||
      failed(::verify(roles, emitError)) ||
      failed(::verify(pipeline, emitError)))
    return failure();
  return verifyTogether({tiling, roles, pipeline}, emitError);
}
