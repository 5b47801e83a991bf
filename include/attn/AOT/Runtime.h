/* What objects of attn-compile call: C functions over packages of kernels. The
 * generated header of a kernel wraps all of it with names and types of its own,
 * and includes nothing of this; what follows is the contract between generated
 * objects and libattn_runtime, in C99. docs/AheadOfTime.md is for users. */
#ifndef ATTN_AOT_RUNTIME_H
#define ATTN_AOT_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with what follows: an object of another number is refused. */
#define ATTN_AOT_ABI 1

enum {
  ATTN_AOT_OK = 0,
  /* Sizes, types, strides or memory that the kernel does not take. */
  ATTN_AOT_BAD_ARGUMENT = 1,
  /* A CPU or GPU, or no driver, that the code does not run on. */
  ATTN_AOT_UNSUPPORTED_DEVICE = 2,
  ATTN_AOT_WORKSPACE_TOO_SMALL = 3,
  /* load() comes first, for this device. */
  ATTN_AOT_NOT_LOADED = 4,
  /* All else that is refused: by the driver, the system's loader or a launch
   * itself. attn_aot_error_detail() has the words. */
  ATTN_AOT_DRIVER_ERROR = 5
};

/* One package (attn/API/KernelPackage.h), as its object holds it. */
typedef struct attn_aot_package {
  const char *bytes;
  uint64_t size;
} attn_aot_package;

/* The kernels of an object, which are one attention for several targets. */
typedef struct attn_aot_kernels {
  uint64_t abi;
  uint64_t count;
  const attn_aot_package *packages; /* of those that suit a device, the first */
  void *loaded;                     /* the runtime's; null before load() */
} attn_aot_kernels;

/* (batch, head, position, channel); strides in elements, that of channels is
 * 1. Memory of the device. */
typedef struct attn_aot_tensor {
  void *data;
  int64_t sizes[4];
  int64_t strides[3];
} attn_aot_tensor;

/* A captured value: a tensor of the device, with sizes and, unless it is
 * contiguous, strides in elements; or one number in host memory. */
typedef struct attn_aot_capture {
  const void *data;
  const int64_t *sizes;
  const int64_t *strides;
} attn_aot_capture;

/* Where sequences begin, of ragged tensors: sequences + 1 numbers. */
typedef struct attn_aot_starts {
  const int32_t *starts;
  int64_t sequences;
} attn_aot_starts;

/* Behind it, in the caller's struct, are its captures. */
typedef struct attn_aot_args {
  uint64_t size;  /* of the caller's struct */
  int64_t device; /* the number of a GPU; -1: the CPU */
  attn_aot_tensor query, key, value, out;
  float *lse;        /* (batch, heads, queries), if the kernel has it */
  const void *tiles; /* of find_tiles(); null: found for this launch */
  attn_aot_starts query_starts, key_starts;
  attn_aot_capture pages;
} attn_aot_args;

/* Behind it, in the caller's struct, are captures, then a `float *` for the
 * gradient of each that it has one of. */
typedef struct attn_aot_backward_args {
  uint64_t size;
  int64_t device;
  attn_aot_tensor query, key, value, out;
  const float *lse;
  attn_aot_tensor grad_out;
  const float *grad_lse;
  attn_aot_tensor grad_query, grad_key, grad_value;
  const void *tiles; /* of find_backward_tiles() */
} attn_aot_backward_args;

/* Thread-safe, all of them; what is loaded may be launched by any thread. A call
 * returns a code of the above, and keeps why for its thread. */
int attn_aot_load(attn_aot_kernels *kernels, int device);
/* Of all devices. No call may be running. */
void attn_aot_unload(attn_aot_kernels *kernels);
/* Whether forward() would take these, as far as the host knows. */
int attn_aot_supports(const attn_aot_kernels *kernels,
                      const attn_aot_args *args);
/* Loads all that a launch of these sizes takes: then it neither allocates
 * memory of the device nor waits, given a workspace and, where the mask needs
 * them, tiles. For tensors that begin at multiples of 16 bytes and captures
 * with an innermost stride of 1, as are the bytes and tiles below; other memory
 * takes other kernels, which its first launch loads. */
int attn_aot_prepare(const attn_aot_kernels *kernels,
                     const attn_aot_args *args);
int attn_aot_workspace_bytes(const attn_aot_kernels *kernels,
                             const attn_aot_args *args, int64_t *bytes);
/* To be kept until lengths or captured tensors change. Null for a kernel that
 * computes its tiles itself. */
int attn_aot_find_tiles(const attn_aot_kernels *kernels,
                        const attn_aot_args *args, void *stream, void **tiles);
/* `workspace`: aligned to 16 bytes, of the device; null: the kernel's own.
 * `stream`: a CUstream. */
int attn_aot_forward(const attn_aot_kernels *kernels, const attn_aot_args *args,
                     void *workspace, int64_t bytes, void *stream);
/* Of tiles of either kind; null is fine. */
void attn_aot_free_tiles(void *tiles);

/* The same of gradients. */
int attn_aot_backward_prepare(const attn_aot_kernels *kernels,
                              const attn_aot_backward_args *args);
int attn_aot_backward_workspace_bytes(const attn_aot_kernels *kernels,
                                      const attn_aot_backward_args *args,
                                      int64_t *bytes);
int attn_aot_find_backward_tiles(const attn_aot_kernels *kernels,
                                 const attn_aot_backward_args *args,
                                 void *stream, void **tiles);
int attn_aot_backward(const attn_aot_kernels *kernels,
                      const attn_aot_backward_args *args, void *workspace,
                      int64_t bytes, void *stream);

/* A line that says what the code means; of another number too. */
const char *attn_aot_error_string(int code);
/* Why the last call of this thread that failed did; empty if none did. */
const char *attn_aot_error_detail(void);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_AOT_RUNTIME_H */
