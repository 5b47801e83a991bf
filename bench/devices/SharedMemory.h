// How another process reaches memory of a device.
#ifndef ATTN_BENCH_DEVICES_SHAREDMEMORY_H
#define ATTN_BENCH_DEVICES_SHAREDMEMORY_H

#include <cstdint>
#include <string>

namespace attn::bench {

/// One allocation and a place in it.
struct SharedMemory {
  /// "file": `handle` is a path to map. "cuda_ipc": `handle` is the hexadecimal
  /// text of a CUDA IPC handle.
  std::string kind, handle;
  int64_t bytes = 0;  ///< of the whole allocation
  int64_t offset = 0; ///< of the place, in bytes
};

} // namespace attn::bench

#endif // ATTN_BENCH_DEVICES_SHAREDMEMORY_H
