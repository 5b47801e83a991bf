/// \file
/// The C interface of attn: read a mod, compile it to fused attention kernels
/// for the CPU or an NVIDIA GPU, run them, forward and backward. C99 and C++;
/// nothing of MLIR, LLVM or CUDA is needed to build against it.
///
/// What an attention is, for batch b, query head h, and the key head hk that
/// serves it:
///
///     s = scale * dot(Q[b,h,q,:], K[b,hk,kv,:])
///     t = score_mod(s,b,h,q,kv)
///     p = softmax of t over { kv : mask_mod(b,h,q,kv) }
///     O = p V,  LSE = log sum exp t (natural logarithm)
///
/// A row with an empty mask gives O = 0 and LSE = -inf.
///
/// Rules for all of it:
///
/// - A structure begins with its own size, which the caller sets to sizeof: so
///   a program and a library of different ages understand each other. What is
///   left at zero has the meaning of "not said".
/// - A call that can fail returns a status. If it is not ATTN_OK the call did
///   nothing, what it would have made is NULL, and attn_error_text() says why.
///   No argument ends the process; memory that runs out does, as in LLVM.
/// - What cannot be known is taken as true: that memory is as large as sizes
///   and strides say, and that a mod reads its tables within their bounds for
///   these sizes, which attn_mod_check() finds out once.
/// - Objects are counted: who makes or retains one releases it. Retaining or
///   releasing NULL does nothing. An object keeps what it needs: a mod may be
///   released once its kernels are compiled. All calls may be made from any
///   thread, for the same object too.
#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include <stddef.h>
#include <stdint.h>

/// Of the binary interface that this header describes; the library's soname
/// ends in it.
#define ATTN_ABI_VERSION 0

#if defined(__GNUC__)
#define ATTN_EXPORT __attribute__((visibility("default")))
#else
#define ATTN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ===--- status ----------------------------------------------------------===
// //

/// How a call ended.
typedef int32_t attn_status;
enum {
  ATTN_OK = 0,
  /// This call is not one: a NULL where something is expected, a size that no
  /// version of a structure has, a number that no enumerator has.
  ATTN_INVALID_CALL = 1,
  /// What was asked for cannot be: a mod with an error, shapes that do not fit,
  /// no such GPU.
  ATTN_ERROR = 2
};

/// Why the last call that failed on this thread did: one or more lines without
/// a final newline, "" if none has. Diagnostics of a mod begin with
/// `file:line:col: error:`. Valid until the next call that fails on this
/// thread.
ATTN_EXPORT const char *attn_error_text(void);

/// The library's version, such as "0.1.0".
ATTN_EXPORT const char *attn_version(void);
/// The library's ATTN_ABI_VERSION.
ATTN_EXPORT int32_t attn_abi_version(void);

// ===--- values ----------------------------------------------------------===
// //

/// Element types. Q, K, V and O are of ATTN_F32, ATTN_F16 or ATTN_BF16,
/// captured values of any but ATTN_F64. ATTN_BOOL is a byte, true if it is not
/// zero. ATTN_U8 is memory for a capture of ATTN_I8: the mod says how it reads
/// it.
typedef int32_t attn_type;
enum {
  ATTN_F32 = 1,
  ATTN_F16 = 2,
  ATTN_BF16 = 3,
  ATTN_F64 = 4,
  ATTN_I32 = 5,
  ATTN_I64 = 6,
  ATTN_I16 = 7,
  ATTN_I8 = 8,
  ATTN_U8 = 9,
  ATTN_BOOL = 10
};

/// As mods spell it ("f32", ..., "i1"); "" for what is no type.
ATTN_EXPORT const char *attn_type_name(attn_type type);
/// Bytes of one element; 0 for what is no type.
ATTN_EXPORT int64_t attn_type_bytes(attn_type type);

/// What runs a kernel.
typedef int32_t attn_target;
enum { ATTN_CPU = 1, ATTN_CUDA = 2 };

/// The sizes of one attention problem, in elements. Batch and heads together,
/// and positions, are below 2^31; rows of queries, and of keys for all heads,
/// below 2^40.
typedef struct attn_sizes {
  size_t size; ///< sizeof(attn_sizes)
  int64_t batch, heads, kv_heads;
  int64_t queries, keys;
  int64_t head_dim, value_dim;
  /// How many sequences were folded into one (attn_mod_folds_batch); 0: batch.
  int64_t sequences;
} attn_sizes;

/// A view (batch, head, position, channel) of host memory (CPU) or device
/// memory (CUDA). Strides are in elements, of all but the channel, whose stride
/// is 1.
typedef struct attn_tensor {
  size_t size; ///< sizeof(attn_tensor)
  void *data;
  attn_type type;
  int64_t sizes[4];
  int64_t strides[3];
} attn_tensor;

/// A captured value: a scalar of host memory, or a tensor of memory of the
/// kernel's target. In an array of them all have the same `size`, and are that
/// far apart.
typedef struct attn_capture {
  size_t size; ///< sizeof(attn_capture)
  const void *data;
  /// What the memory holds; 0: what the mod captures.
  attn_type type;
  int32_t rank;         ///< 0 for a scalar
  const int64_t *sizes; ///< `rank` of them, in elements
  /// In elements, each 0 or more; NULL: contiguous. A launch with an innermost
  /// stride other than 1 takes a kernel of its own, compiled at the first such
  /// launch.
  const int64_t *strides;
} attn_capture;

// ===--- mods ------------------------------------------------------------===
// //

/// A score_mod and mask_mod.
typedef struct attn_mod attn_mod;

/// Reads, parses and verifies a mod file: exactly one mod that no other of the
/// file applies, any number of helpers.
ATTN_EXPORT attn_status attn_mod_from_file(const char *path, attn_mod **mod);
/// The same for text; `name` stands for the file in diagnostics.
ATTN_EXPORT attn_status attn_mod_from_source(const char *source,
                                             const char *name, attn_mod **mod);
ATTN_EXPORT void attn_mod_retain(attn_mod *mod);
ATTN_EXPORT void attn_mod_release(attn_mod *mod);

/// Its symbol, without the @; valid as long as the mod. "" for NULL.
ATTN_EXPORT const char *attn_mod_name(const attn_mod *mod);
ATTN_EXPORT int32_t attn_mod_has_score(const attn_mod *mod);
ATTN_EXPORT int32_t attn_mod_has_mask(const attn_mod *mod);
/// Whether a batch of B sequences is run as one sequence of B times the length.
ATTN_EXPORT int32_t attn_mod_folds_batch(const attn_mod *mod);

/// What a mod captures, as its file declares it.
typedef struct attn_capture_info {
  size_t size;      ///< sizeof(attn_capture_info)
  const char *name; ///< valid as long as the mod
  attn_type type;
  int32_t rank;            ///< 0 for a scalar, and for a tensor of one element
  int32_t is_scalar;       ///< of host memory, whatever the target is
  int32_t is_query_offset; ///< that attn_mod_with_query_offset added
  int32_t is_lengths;      ///< that attn_mod_with_lengths added
} attn_capture_info;

ATTN_EXPORT size_t attn_mod_capture_count(const attn_mod *mod);
/// `info->size` says how much of it is written.
ATTN_EXPORT attn_status attn_mod_capture(const attn_mod *mod, size_t index,
                                         attn_capture_info *info);

/// What is added to the positions of queries.
typedef int32_t attn_query_offset;
enum {
  ATTN_OFFSET_SCALAR = 1,   ///< one i32, of host memory
  ATTN_OFFSET_PER_BATCH = 2 ///< a tensor of an i32 for each batch
};

/// The mod whose programs see q + offset instead of q, as where the keys of
/// earlier queries are in a cache. The offset is one more capture behind the
/// mod's own. It may be negative. Neither a query's position plus the offset
/// nor that less a key's position may leave the i32.
ATTN_EXPORT attn_status attn_mod_with_query_offset(const attn_mod *mod,
                                                   attn_query_offset kind,
                                                   attn_mod **result);
/// The mod whose sequences have fewer keys than there is room for: the keys of
/// batch b are those before lengths[b]. The lengths are one more capture, the
/// last, a tensor of an i32 for each batch. What lies behind a length is
/// without effect, and its gradients are zero.
ATTN_EXPORT attn_status attn_mod_with_lengths(const attn_mod *mod,
                                              attn_mod **result);

/// Captured data on the host.
typedef struct attn_captures attn_captures;

/// Makes the captured data for one problem as the mod's file says; a query
/// offset is 0, lengths are the number of keys.
ATTN_EXPORT attn_status attn_mod_make_captures(const attn_mod *mod,
                                               const attn_sizes *sizes,
                                               attn_captures **captures);
ATTN_EXPORT void attn_captures_retain(attn_captures *captures);
ATTN_EXPORT void attn_captures_release(attn_captures *captures);
ATTN_EXPORT size_t attn_captures_count(const attn_captures *captures);
/// A view of one of them, valid as long as `captures`: what a CPU kernel takes.
/// `view->size` says how much of it is written.
ATTN_EXPORT attn_status attn_captures_get(const attn_captures *captures,
                                          size_t index, attn_capture *view);

/// Checks that the captures have the declared types and that no evaluation for
/// indices of this problem reads a captured tensor out of bounds, as far as
/// ranges prove it. Errors name the load's line and column.
ATTN_EXPORT attn_status attn_mod_check(const attn_mod *mod,
                                       const attn_sizes *sizes,
                                       const attn_capture *captures,
                                       size_t capture_count);

// ===--- kernels ---------------------------------------------------------===
// //

/// What to compile. Lengths, batch, heads and strides are values of run time.
typedef struct attn_spec {
  size_t size; ///< sizeof(attn_spec)
  attn_target target;
  attn_type type;     ///< of Q, K, V and O
  int64_t head_dim;   ///< 1 to 256
  int64_t value_dim;  ///< 0: head_dim
  const float *scale; ///< NULL: 1/sqrt(head_dim)
  /// `#attn.schedule<...>`, or `#attn.variants<...>`; NULL or "": chosen.
  const char *schedule;
  /// CUDA: the number of the GPU, whose primary context is used; NULL: that of
  /// the current context. The kernel stays there, and runs from any thread.
  const int32_t *device;
  int32_t lse; ///< whether the LSE is a result
  /// CUDA: not every row of Q, K, V and O starts at a multiple of 16 bytes.
  int32_t unaligned;
  /// CUDA: the kernel for every GPU, even where there is one for this GPU.
  int32_t portable;
  /// CUDA: tanh and division of mods at f32's accuracy also where tensors are
  /// bf16 or f16, whose rounding hides the hardware's approximations.
  int32_t exact;
  /// Kernels of gradients that give the same bits on every run.
  int32_t deterministic;
  /// Sequences lie one behind another in query, out and LSE, or in key and
  /// value (attn_starts); mods see b as the sequence, and positions in it. Not
  /// for gradients.
  int32_t ragged_queries, ragged_keys;
  /// K and V are heaps of pages, (page, head, row of the page, channel), of
  /// which a table says whose they are. The mod has lengths. Not for gradients.
  int32_t paged;
  /// One kernel for captured tensors of any innermost stride.
  int32_t strided_captures;
  /// A sequence has the same bits whatever else is in the batch. Not for
  /// gradients.
  int32_t invariant;
  /// Every run looks at lengths, starts and page tables before, and fails where
  /// these say what has no meaning; on a GPU it waits for that. Not for
  /// gradients.
  int32_t checked;
  /// Of a kernel of shares (`shares` in its schedule), how many they are; 0: as
  /// many as the GPU runs at once, or 128 on a CPU.
  int64_t shares;
} attn_spec;

/// Where sequences begin in a tensor in which they lie one behind another, in a
/// batch of one: sequence i has positions starts[i] to starts[i + 1]. Memory of
/// the kernel's target, contiguous. Values outside of the tensor count as its
/// beginning or end; of positions in no sequence nothing is promised.
typedef struct attn_starts {
  size_t size;           ///< sizeof(attn_starts)
  const int32_t *starts; ///< sequences + 1 of them
  int64_t sequences;
} attn_starts;

/// Lists of the tiles that a mask visits, in memory of a target.
typedef struct attn_tiles attn_tiles;
ATTN_EXPORT void attn_tiles_retain(attn_tiles *tiles);
ATTN_EXPORT void attn_tiles_release(attn_tiles *tiles);
/// Bytes of memory that they take; 0 for NULL.
ATTN_EXPORT int64_t attn_tiles_bytes(const attn_tiles *tiles);

/// What a kernel runs on: memory of its target.
typedef struct attn_arguments {
  size_t size; ///< sizeof(attn_arguments)
  const attn_tensor *query, *key, *value;
  const attn_tensor *out;
  float *lse; ///< (batch, heads, queries), contiguous; of a spec with `lse`
  const attn_capture *captures; ///< in the order of the mod
  size_t capture_count;
  void *stream; ///< CUDA: a CUstream
  /// From attn_kernel_find_tiles() for these lengths and captured tensors.
  /// NULL: a kernel that needs them finds them for this call alone, which
  /// allocates.
  const attn_tiles *tiles;
  const attn_starts *query_starts, *key_starts; ///< of a ragged spec
  /// Of a paged spec the table of i32 (sequence, most pages), rows of which may
  /// be apart: row kv of sequence b is row kv % rows of the page
  /// pages[b, kv / rows]. Entries at or behind lengths[b] are not read; one
  /// that numbers no page has no keys.
  const attn_capture *pages;
  /// Of at least attn_kernel_workspace_bytes(), aligned to 16 bytes, which
  /// nothing else uses meanwhile; NULL: the kernel's own.
  void *workspace;
  int64_t workspace_bytes;
} attn_arguments;

/// A compiled fused attention kernel.
typedef struct attn_kernel attn_kernel;

ATTN_EXPORT attn_status attn_kernel_compile(const attn_mod *mod,
                                            const attn_spec *spec,
                                            attn_kernel **kernel);
/// Whether attn_kernel_compile() would take this, as far as that is known
/// before code is made, in a fraction of the time.
ATTN_EXPORT attn_status attn_kernel_check(const attn_mod *mod,
                                          const attn_spec *spec);
ATTN_EXPORT void attn_kernel_retain(attn_kernel *kernel);
ATTN_EXPORT void attn_kernel_release(attn_kernel *kernel);

/// O (and LSE) = attention. CPU: done on return, on all cores. CUDA:
/// asynchronous on `stream`.
ATTN_EXPORT attn_status attn_kernel_run(const attn_kernel *kernel,
                                        const attn_arguments *arguments);

/// Compiles and loads all that launches of sizes from `smallest` to `largest`
/// take, each number for itself; batch, both numbers of heads, queries and keys
/// count. `largest` NULL: launches of `smallest` alone; both NULL: of any
/// sizes. After it attn_kernel_run() compiles nothing, and can be captured into
/// a graph.
ATTN_EXPORT attn_status attn_kernel_prepare(const attn_kernel *kernel,
                                            const attn_sizes *smallest,
                                            const attn_sizes *largest);
/// The workspace that suffices for all launches of such sizes (`largest` NULL:
/// of `smallest`). 0: none is needed. Compiles what attn_kernel_prepare() does.
ATTN_EXPORT attn_status attn_kernel_workspace_bytes(const attn_kernel *kernel,
                                                    const attn_sizes *smallest,
                                                    const attn_sizes *largest,
                                                    int64_t *bytes);

/// Whether the tiles to visit come from lists; otherwise the kernel computes
/// which they are.
ATTN_EXPORT int32_t attn_kernel_needs_tiles(const attn_kernel *kernel);
/// Makes the lists, to be kept until the lengths or a captured tensor that the
/// mask reads change. `reuse`: lists that nothing needs any more, which are
/// overwritten where their memory is large enough; or NULL. An error for a
/// kernel that needs none.
ATTN_EXPORT attn_status attn_kernel_find_tiles(
    const attn_kernel *kernel, const attn_sizes *sizes,
    const attn_capture *captures, size_t capture_count, void *stream,
    const attn_tiles *reuse, attn_tiles **tiles);
/// Queries and keys of a tile; 0 for NULL.
ATTN_EXPORT int64_t attn_kernel_query_tile(const attn_kernel *kernel);
ATTN_EXPORT int64_t attn_kernel_key_tile(const attn_kernel *kernel);

/// From the mod to the loaded kernel; 0 for NULL.
ATTN_EXPORT double attn_kernel_compile_seconds(const attn_kernel *kernel);
/// As attn_spec::schedule; valid as long as the kernel. "" for NULL.
ATTN_EXPORT const char *attn_kernel_schedule(const attn_kernel *kernel);

// ===--- gradients -------------------------------------------------------===
// //

/// Lists of the tiles that kernels of gradients visit.
typedef struct attn_gradient_tiles attn_gradient_tiles;
ATTN_EXPORT void attn_gradient_tiles_retain(attn_gradient_tiles *tiles);
ATTN_EXPORT void attn_gradient_tiles_release(attn_gradient_tiles *tiles);

/// What one run of gradients reads and writes. Statistics of rows are f32 of
/// shape (batch, heads, queries), contiguous.
typedef struct attn_gradient_arguments {
  size_t size; ///< sizeof(attn_gradient_arguments)
  /// The operands and results of the forward pass.
  const attn_tensor *query, *key, *value, *out;
  const float *lse;
  const attn_capture *captures;
  size_t capture_count;
  /// The gradients of its results.
  const attn_tensor *grad_out; ///< strides may be 0
  const float *grad_lse;       ///< of a spec with `lse`
  /// What is written: shapes of query, key and value.
  const attn_tensor *grad_query, *grad_key, *grad_value;
  /// For each capture that attn_gradient_compile() was given: f32 of the
  /// capture's shape, contiguous, in memory of the kernel's target.
  float *const *grad_captures;
  size_t grad_capture_count;
  /// From attn_gradient_find_tiles(); NULL: a run that needs them finds them.
  const attn_gradient_tiles *tiles;
  void *stream; ///< CUDA: a CUstream
  /// Of at least attn_gradient_workspace_bytes(), aligned to 16 bytes, which
  /// nothing else uses meanwhile; NULL: the kernel's own.
  void *workspace;
  int64_t workspace_bytes;
} attn_gradient_arguments;

/// The compiled kernels of an attention's gradients.
typedef struct attn_gradient attn_gradient;

/// Of the attention that attn_kernel_compile() makes of the same `spec`; its
/// `lse` says that a gradient of the LSE is given. `wrt`: the names of captured
/// floats whose gradients are asked for.
ATTN_EXPORT attn_status attn_gradient_compile(const attn_mod *mod,
                                              const attn_spec *spec,
                                              const char *const *wrt,
                                              size_t wrt_count,
                                              attn_gradient **gradient);
ATTN_EXPORT void attn_gradient_retain(attn_gradient *gradient);
ATTN_EXPORT void attn_gradient_release(attn_gradient *gradient);

/// Rows without keys and keys that no query sees get zeros. CUDA: asynchronous;
/// without a workspace, or tiles where the mask needs them, it allocates, and
/// waits to free.
ATTN_EXPORT attn_status attn_gradient_run(
    const attn_gradient *gradient, const attn_gradient_arguments *arguments);

/// As attn_kernel_prepare(), with all that attn_gradient_find_tiles() takes.
ATTN_EXPORT attn_status attn_gradient_prepare(const attn_gradient *gradient,
                                              const attn_sizes *smallest,
                                              const attn_sizes *largest);
/// The same for launches of any sizes with memory like that of `arguments`,
/// whatever the spec says of alignment and strides; nothing of it is read.
ATTN_EXPORT attn_status attn_gradient_prepare_like(
    const attn_gradient *gradient, const attn_gradient_arguments *arguments);
/// The workspace for launches of sizes from `smallest` to `largest` (NULL: of
/// `smallest`) whose captures have at most as many elements as `captures`, of
/// which only the sizes are read. Without gradients of captures there need be
/// none.
ATTN_EXPORT attn_status attn_gradient_workspace_bytes(
    const attn_gradient *gradient, const attn_sizes *smallest,
    const attn_sizes *largest, const attn_capture *captures,
    size_t capture_count, int64_t *bytes);

/// Makes the lists of a mask whose tiles are not one run; empty ones for
/// others.
ATTN_EXPORT attn_status attn_gradient_find_tiles(const attn_gradient *gradient,
                                                 const attn_sizes *sizes,
                                                 const attn_capture *captures,
                                                 size_t capture_count,
                                                 void *stream,
                                                 attn_gradient_tiles **tiles);

/// From the mod to the loaded kernels; 0 for NULL.
ATTN_EXPORT double attn_gradient_compile_seconds(const attn_gradient *gradient);
/// Of all kernels; valid as long as they are. "" for NULL.
ATTN_EXPORT const char *attn_gradient_schedule(const attn_gradient *gradient);

// ===--- tuning ----------------------------------------------------------===
// //

/// What a search for a faster schedule than the one chosen by rule found.
typedef struct attn_tuning attn_tuning;

/// Searches for the fastest schedule of attn_kernel_compile() for launches like
/// this one, which writes its results over and over; `tiles` and `workspace` of
/// the arguments are not used. `seconds`: all that it may take, compiling
/// included; 0: what searches before this one kept in the cache decides. What
/// is found is kept in the cache (attn_use_cache()), for launches whose numbers
/// of rows, queries and keys have the same binary logarithm, rounded down.
/// CUDA: nothing else should run on the GPU meanwhile. Errors: a spec that has
/// a schedule, or is invariant; a stream that is being captured; seconds that
/// are negative or no number; those of attn_kernel_run().
ATTN_EXPORT attn_status attn_kernel_tune(const attn_mod *mod,
                                         const attn_spec *spec,
                                         const attn_arguments *arguments,
                                         double seconds, attn_tuning **tuning);
/// The same of attn_gradient_compile().
ATTN_EXPORT attn_status attn_gradient_tune(
    const attn_mod *mod, const attn_spec *spec, const char *const *wrt,
    size_t wrt_count, const attn_gradient_arguments *arguments, double seconds,
    attn_tuning **tuning);
ATTN_EXPORT void attn_tuning_retain(attn_tuning *tuning);
ATTN_EXPORT void attn_tuning_release(attn_tuning *tuning);

/// For attn_spec::schedule; valid as long as the tuning. "": what is chosen by
/// rule stays, as nothing that was tried is at least 2% faster for certain. ""
/// for NULL.
ATTN_EXPORT const char *attn_tuning_schedule(const attn_tuning *tuning);
/// The time of what is chosen by rule over that of the best; 1 if that is the
/// same, or for NULL.
ATTN_EXPORT double attn_tuning_gain(const attn_tuning *tuning);
/// How many others are known by now, and how many there are; 0 for NULL.
ATTN_EXPORT int64_t attn_tuning_tried(const attn_tuning *tuning);
ATTN_EXPORT int64_t attn_tuning_candidates(const attn_tuning *tuning);
/// Whether nothing was timed, as earlier searches were long enough.
ATTN_EXPORT int32_t attn_tuning_is_from_cache(const attn_tuning *tuning);

// ===--- around an attention ---------------------------------------------===
// //

/// What to compile of a merge. Batch, heads, queries and strides are values of
/// run time.
typedef struct attn_merge_spec {
  size_t size; ///< sizeof(attn_merge_spec)
  attn_target target;
  attn_type type;        ///< of all outs
  int64_t value_dim;     ///< 1 to 256
  const int32_t *device; ///< as attn_spec has it
  int32_t parts;         ///< the most of a run, 1 to 16
  int32_t sink;          ///< whether there is a part without values
  int32_t lse;           ///< whether the LSE of all parts is a result
} attn_merge_spec;

/// Of the same queries over other keys. In an array of them all have the same
/// `size`, and are that far apart.
typedef struct attn_part {
  size_t size; ///< sizeof(attn_part)
  const attn_tensor *out;
  const float *lse; ///< (batch, heads, queries), contiguous
} attn_part;

typedef struct attn_merge_arguments {
  size_t size; ///< sizeof(attn_merge_arguments)
  const attn_part *parts;
  size_t part_count;
  const float *sink;      ///< (heads): an LSE of values of 0; of `sink`
  const attn_tensor *out; ///< may be a part's
  float *lse;   ///< (batch, heads, queries), contiguous, no part's; of `lse`
  void *stream; ///< CUDA: a CUstream
} attn_merge_arguments;

/// Attention over keys in several parts, from that over each part:
///
///     LSE = log sum over parts of exp(LSE_i)
///     O = sum over parts of exp(LSE_i - LSE) O_i
///
/// in f32. A part whose LSE is -inf has no keys, and adds nothing, be its O
/// NaN.
typedef struct attn_merge attn_merge;
ATTN_EXPORT attn_status attn_merge_compile(const attn_merge_spec *spec,
                                           attn_merge **merge);
ATTN_EXPORT void attn_merge_retain(attn_merge *merge);
ATTN_EXPORT void attn_merge_release(attn_merge *merge);
/// Compiles and allocates nothing, and can be captured into a graph.
ATTN_EXPORT attn_status attn_merge_run(const attn_merge *merge,
                                       const attn_merge_arguments *arguments);

/// What to compile of an append. Sizes, strides and rows of pages are values of
/// run time.
typedef struct attn_append_spec {
  size_t size; ///< sizeof(attn_append_spec)
  attn_target target;
  attn_type type;              ///< of all
  int64_t head_dim, value_dim; ///< 1 to 256; value_dim 0: head_dim
  const int32_t *device;       ///< as attn_spec has it
  int32_t ragged;              ///< new rows of sequences lie one behind another
  int32_t paged;               ///< the cache is pages
  int32_t checked; ///< a run fails before it where a new row has no place
} attn_append_spec;

/// Row i of the new ones of sequence b becomes row lengths[b] + i of its keys
/// and values; one behind the room that there is for the sequence is not
/// written, nor is one whose entry numbers no page. Two sequences must not
/// write to one row.
typedef struct attn_append_arguments {
  size_t size;                            ///< sizeof(attn_append_arguments)
  const attn_tensor *new_key, *new_value; ///< (batch, heads, rows, channels)
  const attn_tensor *key, *value; ///< the cache: (batch or pages, heads, ...)
  /// How many keys each sequence has before, contiguous. Below zero: none.
  const int32_t *lengths;
  const attn_starts *starts; ///< of `ragged`
  const attn_capture *pages; ///< of `paged`, as attn_arguments has it
  void *stream;              ///< CUDA: a CUstream
} attn_append_arguments;

/// New rows of keys and values into a cache, behind those that it has: what
/// comes before an attention over the cache, on the same stream.
typedef struct attn_append attn_append;
ATTN_EXPORT attn_status attn_append_compile(const attn_append_spec *spec,
                                            attn_append **append);
ATTN_EXPORT void attn_append_retain(attn_append *append);
ATTN_EXPORT void attn_append_release(attn_append *append);
/// Compiles and allocates nothing, and can be captured into a graph.
ATTN_EXPORT attn_status attn_append_run(const attn_append *append,
                                        const attn_append_arguments *arguments);

// ===--- compiled code on disk -------------------------------------------===
// //

/// Kernels compiled from now on, by any thread, come from the cache in this
/// directory, or go there. NULL or "": that of ATTN_CACHE_DIR, where `off` is
/// none, else `attn/kernels` in the user's directory for caches. A program that
/// does not call this has a cache where ATTN_CACHE_DIR names a directory, and
/// none otherwise. What goes wrong with it is no error: kernels are compiled
/// then, and a line of standard error says why.
ATTN_EXPORT void attn_use_cache(const char *directory);
/// From now on they do not.
ATTN_EXPORT void attn_use_no_cache(void);
/// Pieces of code that this process has compiled so far, and those that came
/// from a cache instead; NULL: not asked for.
ATTN_EXPORT void attn_code_counts(int64_t *compiled, int64_t *cached);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // ATTN_ATTN_H
