// The public C++ API: load a mod file, compile it to a fused attention kernel
// for the CPU or an NVIDIA GPU, run it. Includes no MLIR, LLVM or CUDA header,
// so that a user needs none of them to build against attn.
//
// The semantics (what O and LSE are, what a mod sees) are those of the design:
//
//   s = scale * dot(Q[b,h,q,:], K[b,h/(Hq/Hkv),kv,:])
//
//   t = score_mod(s,b,h,q,kv)
//
//   p = softmax of t over { kv : mask_mod(b,h,q,kv) }
//
//   O = p V,  LSE = log sum exp t (natural logarithm)
//
// A row with an empty mask gives O = 0 and LSE = -inf.
#ifndef ATTN_API_ATTENTION_H
#define ATTN_API_ATTENTION_H

#ifdef ATTN_ATTN_HPP
#error "a source includes attn/attn.hpp or attn/API/*.h, not both"
#endif

#include "attn/API/Result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace attn {

/// Q, K, V and O are of F32, F16 or BF16; captured values of any but F64. A
/// Bool
/// (`i1` in a mod) is a byte, true if it is not zero. U8 is memory for a
/// capture of type `i8`, as I8 is: the mod says how it reads it.
enum class ElementType { F32, F16, BF16, F64, I32, I64, I16, I8, U8, Bool };

/// As mods spell it: "f32", "f16", "bf16", "f64", "i32", "i64", "i16", "i8",
/// "i1"; and "u8".
const char *toString(ElementType type);
/// Bytes of one element.
int64_t byteWidth(ElementType type);

enum class Target { CPU, CUDA };

/// The sizes of one attention problem, in elements.
struct ProblemSizes {
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t queries = 0, keys = 0;
  int64_t headDim = 0, valueDim = 0;
  /// How many sequences were folded into one (Mod::foldsBatch); else `batch`.
  int64_t sequences = 1;
};

/// All problems between two, each number for itself: a serving program prepares
/// for what may come. Batch, both numbers of heads, queries and keys count.
struct SizeRange {
  ProblemSizes smallest, largest;
};

/// A 4-d view (batch, head, position, channel) of host memory (CPU) or device
/// memory (CUDA). Strides are in elements; the channel's stride is 1.
struct TensorView {
  void *data = nullptr;
  ElementType type = ElementType::F32;
  std::array<int64_t, 4> sizes{};
  std::array<int64_t, 3> strides{};
};

/// What a mod captures, as its file declares it.
struct CaptureInfo {
  std::string name;
  ElementType type;
  int rank;      ///< 0 for a scalar, and for a tensor of one element
  bool isScalar; ///< of host memory, whatever the target is
  bool isQueryOffset = false; ///< that Mod::withQueryOffset() added
  bool isLengths = false;     ///< that Mod::withLengths() added
};

/// A captured value held on the host: `bytes` holds the elements of a
/// contiguous tensor of `sizes`, or one element for a scalar (`sizes` empty).
struct CaptureData {
  ElementType type;
  std::vector<int64_t> sizes;
  std::vector<std::byte> bytes;
};

/// A captured value as a kernel takes it: a scalar points to host memory, a
/// tensor to memory of the kernel's target.
struct CaptureView {
  const void *data = nullptr;
  std::vector<int64_t> sizes;
  /// In elements, one for each dimension: 0 or more, in any order. Empty:
  /// contiguous. A launch with an innermost stride other than 1 takes a kernel
  /// of its own, compiled at the first such launch.
  std::vector<int64_t> strides = {};
  /// What the memory holds. If given, it must be what the mod captures.
  std::optional<ElementType> type = std::nullopt;
};

/// Views of host captures, in order: what a CPU kernel takes.
std::vector<CaptureView> viewsOf(const std::vector<CaptureData> &captures);

/// Where sequences begin in a tensor in which they lie one behind another, in a
/// batch of one: sequence i has positions starts[i] to starts[i + 1]. Memory of
/// the kernel's target, contiguous. Values outside of the tensor count as its
/// beginning or end, and a sequence that ends before it begins has no
/// positions; of positions in no sequence, and of all where starts fall,
/// nothing is promised (they may be left unwritten).
struct SequenceStarts {
  const int32_t *starts = nullptr; ///< sequences + 1 of them
  int64_t sequences = 0;
};

/// What is added to the positions of queries: one number, or one for each
/// batch.
enum class QueryOffset { Scalar, PerBatch };

/// A score_mod and mask_mod read from a file (see configs/mods).
class Mod {
public:
  /// Reads, parses and verifies a mod file: exactly one entry mod (the mod that
  /// no other mod of the file applies), any number of helpers.
  /// Errors: the file cannot be read; diagnostics with file, line and column.
  static Result<Mod> fromFile(const std::string &path);
  /// The same for text; `name` stands for the file in diagnostics.
  static Result<Mod> fromSource(const std::string &source,
                                const std::string &name);
  /// The same for C++ lambdas: a score program, a mask program, or both. Needs
  /// attn/API/Lambda.h. Errors: as there; diagnostics name the line of C++.
  template <typename Program>
  static Result<Mod> make(const Program &program,
                          const char *file = __builtin_FILE(),
                          int line = __builtin_LINE());
  template <typename ScoreProgram, typename MaskProgram,
            typename = std::enable_if_t<
                !std::is_convertible_v<MaskProgram, const char *>>>
  static Result<Mod> make(const ScoreProgram &score, const MaskProgram &mask,
                          const char *file = __builtin_FILE(),
                          int line = __builtin_LINE());

  const std::string &name() const;
  bool hasScore() const;
  bool hasMask() const;
  /// Whether a batch of B sequences is run as one sequence of B times the
  /// length (the mod tells the sequences apart): `attn.fold_batch`.
  bool foldsBatch() const;
  const std::vector<CaptureInfo> &captures() const;

  /// The mod whose programs see q + offset instead of q, as where the keys of
  /// earlier queries are in a cache. The offset is a value of run time: one
  /// more capture behind the mod's own, an i32 (of host memory) or a tensor of
  /// one for each batch. It may be negative. Neither a query's position plus
  /// the offset nor that less a key's position may leave the i32. Errors: there
  /// is an offset already.
  Result<Mod> withQueryOffset(QueryOffset) const;

  /// The mod whose sequences have fewer keys than there is room for: the keys
  /// of batch b are those before lengths[b], none where it is negative, all
  /// where it is beyond the room. What lies behind a length, be it NaN, is
  /// without effect, and its gradients are zero. The lengths are values of run
  /// time: one more capture, the last (behind the query offset), a tensor of an
  /// i32 for each batch. Errors: there are lengths already.
  Result<Mod> withLengths() const;

  /// Makes the captured data for one problem as the file says (`attn.data`); a
  /// query offset is 0, lengths are the number of keys.
  /// Errors: a capture of which it says nothing; sizes and scalars that do not
  /// come out for this problem.
  Result<std::vector<CaptureData>> makeCaptures(const ProblemSizes &) const;

  /// Checks that the captures have the declared types and that no evaluation
  /// for indices of this problem reads a captured tensor out of bounds, as far
  /// as ranges prove it. Errors name the load's line and column.
  Result<void> check(const ProblemSizes &,
                     const std::vector<CaptureView> &) const;

  /// The same mod, read again. Threads that compile one mod take turns; those
  /// that compile copies do not.
  Result<Mod> copy() const;

  struct Impl;
  const Impl &impl() const { return *pimpl; }

private:
  static Result<Mod> read(std::shared_ptr<Impl> impl, const std::string &source,
                          const std::string &name);
  /// What `impl` says is to be added, to the text that this was read from.
  Result<Mod> readAgain(std::shared_ptr<Impl> impl) const;
  std::shared_ptr<const Impl> pimpl;
};

/// What to compile. Lengths, batch, heads and strides are run-time values.
struct KernelSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of Q, K, V and O
  int64_t headDim = 64, valueDim = 64;
  bool lse = false;
  std::optional<float> scale; ///< 1/sqrt(headDim) if absent
  /// `#attn.schedule<...>`, or `#attn.variants<...>`; empty: chosen. For memory
  /// that their kernels do not take there are others (attn-select-schedule).
  std::string schedule;
  /// CUDA: the number of the GPU, whose primary context is used. Without it
  /// compile() needs a current context. The kernel stays in that context, and
  /// runs from any thread.
  std::optional<int> device = std::nullopt;
  /// CUDA: whether every row of Q, K, V and O starts at a multiple of 16 bytes.
  bool aligned = true;
  /// CUDA: the kernel for every GPU, even where there is one for this GPU.
  bool portable = false;
  /// CUDA: tanh and division of mods at f32's accuracy also where tensors are
  /// bf16 or f16, whose rounding hides the hardware's approximations; f32
  /// always is.
  bool exact = false;
  /// Kernels of gradients that give the same bits on every run; without it one
  /// whose sums depend on the order of its blocks is chosen where it is faster:
  /// for 16-bit elements and 64 or 128 channels, on sm_90a.
  bool deterministic = false;
  /// Sequences lie one behind another in query, out and LSE, or in key and
  /// value (SequenceStarts); mods see b as the sequence, and positions in it.
  /// With one of the two the other tensors have a batch for each sequence. A
  /// mask whose visited tiles are not one run visits all between the first and
  /// the last. Not for gradients.
  bool raggedQueries = false, raggedKeys = false;
  /// K and V are heaps of pages, (page, head, row of the page, channel), of
  /// which a table says whose they are. Their pages may have any number of
  /// rows. The mod has lengths (Mod::withLengths). Not for gradients.
  bool paged = false;
  /// One kernel for captured tensors of any innermost stride, instead of one
  /// for 1 and another, compiled when it is first needed, for others.
  bool stridedCaptures = false;
  /// Results of a sequence have the same bits whatever else is in the batch:
  /// how many sequences there are, how many keys those have, and how many they
  /// have room for. Numbers of heads and of queries (of a batch, in which all
  /// have as many), types and memory may still choose the kernel. Few queries
  /// take chunks of at least 1024 keys instead of even shares, whose workspace
  /// grows with the problem (docs/FlashForm.md: Chunks). A schedule that is
  /// given must keep to this, and kernels that are are not to be tuned. Not
  /// for gradients.
  bool invariant = false;
  /// Every run looks at lengths, starts of sequences and page tables before,
  /// and fails where these say what has no meaning of its own (a length beyond
  /// the room, an entry that numbers no page, starts that fall), with the
  /// number of the sequence. For finding mistakes: on a GPU a run waits for the
  /// stream and copies them to the host, which a stream capture does not allow.
  /// Not for gradients.
  bool checked = false;
  /// Of a kernel of shares (`shares` in its schedule), how many they are; 0: as
  /// many as the GPU runs at once, or 128 on a CPU. Results may differ in their
  /// last bits with their number.
  int64_t shares = 0;
};

/// Memory that a launch needs for itself: of the kernel's target, aligned to 16
/// bytes, which nothing else uses meanwhile.
struct Workspace {
  void *data = nullptr; ///< null: the kernel's own
  int64_t bytes = 0;
};

class TileLists; // attn/API/Tiles.h

/// What a kernel runs on: memory of its target.
struct AttentionArguments {
  TensorView query, key, value;
  std::vector<CaptureView> captures;
  TensorView out;
  float *lse = nullptr;   ///< (batch, heads, queries), contiguous
  void *stream = nullptr; ///< CUDA: a CUstream
  const TileLists *tiles = nullptr;
  /// Of a kernel for ragged tensors (KernelSpec).
  SequenceStarts queryStarts = {}, keyStarts = {};
  /// For KernelSpec::paged the table of i32 (sequence, most pages), rows of
  /// which may be apart. Row kv of sequence b is row kv % rows of the page
  /// pages[b, kv / rows], so that there is room for `most pages * rows` keys in
  /// each, which is what `keys` means where sizes are asked for. Entries at or
  /// behind lengths[b] are not read; one that numbers no page has no keys.
  std::optional<CaptureView> pages = std::nullopt;
  /// Of workspaceBytes(). Without one a CPU, and on a GPU the
  /// first launch on another stream than the default one, allocates it if it is
  /// needed, and launches in graphs have one together: graphs that run at the
  /// same time need workspaces.
  Workspace workspace = {};
};

/// A compiled fused attention kernel. Thread-safe once compiled.
class AttentionKernel {
public:
  struct Impl;
  AttentionKernel() = default;
  explicit AttentionKernel(std::shared_ptr<const Impl> impl)
      : pimpl(std::move(impl)) {}

  /// CUDA: the PTX goes through the driver's JIT. Errors: what `spec` asks for
  /// is not for this target; no such GPU, or none is said.
  static Result<AttentionKernel> compile(const Mod &, const KernelSpec &);

  /// Whether compile() would take this, as far as that is known before code is
  /// made: a schedule that does not suit the type, the dimensions or the GPU is
  /// refused here, in a fraction of the time.
  static Result<void> check(const Mod &, const KernelSpec &);

  /// O (and LSE, f32, shape (batch, heads, queries), contiguous) = attention.
  /// CUDA: asynchronous on `stream` (a CUstream). Errors: shapes, types or
  /// strides which this kernel does not take; a launch failure.
  /// `tiles`: from findTiles() for these lengths and captured tensors. A kernel
  /// that needs them and gets none finds them for this call alone, which
  /// allocates. Nothing else does once the kernel is there (prepare()): what
  /// its blocks draw their tasks from was allocated when it was loaded.
  Result<void> run(const TensorView &query, const TensorView &key,
                   const TensorView &value,
                   const std::vector<CaptureView> &captures,
                   const TensorView &out, float *lse = nullptr,
                   void *stream = nullptr,
                   const TileLists *tiles = nullptr) const;

  /// What suffices for all launches of these sizes with memory as KernelSpec
  /// says; does not grow with them, but for an invariant kernel. 0: none is
  /// needed. Compiles what prepare()
  /// does. Errors: those of prepare().
  Result<int64_t> workspaceBytes(const ProblemSizes &sizes) const;
  /// The same for all launches of a range.
  Result<int64_t> workspaceBytes(const SizeRange &range) const;

  /// The same, with what not every kernel has.
  Result<void> run(const AttentionArguments &arguments) const;

  /// Compiles and loads all that launches of these sizes take (batch, heads of
  /// both kinds, queries and keys count), with memory as KernelSpec says. After
  /// it run() compiles nothing, and can be captured into a graph; a kernel that
  /// needs lists of tiles is given them then. Otherwise the first launch that
  /// takes another kernel compiles it, and fails in a stream capture.
  Result<void> prepare(const ProblemSizes &sizes) const;
  /// The same for all launches of a range. Errors besides: one that ends before
  /// it begins.
  Result<void> prepare(const SizeRange &range) const;
  /// The same for launches of any sizes.
  Result<void> prepare() const;

  /// Whether the tiles to visit come from lists; otherwise the kernel computes
  /// which they are.
  bool needsTileLists() const;
  /// Makes the lists (TileFinder::find). To be kept until the lengths or a
  /// captured tensor that the mask reads change; of `sizes` batch, heads,
  /// queries and keys count. Errors: the kernel needs none.
  Result<TileLists> findTiles(const ProblemSizes &sizes,
                              const std::vector<CaptureView> &captures,
                              void *stream = nullptr) const;
  /// The same into the memory of `reuse`, where it is large enough.
  Result<TileLists> findTiles(const ProblemSizes &sizes,
                              const std::vector<CaptureView> &captures,
                              void *stream, const TileLists &reuse) const;
  int64_t queryTile() const, keyTile() const;

  double compileSeconds() const; ///< MLIR to loaded kernel
  const std::string &schedule() const;
  /// Bytes of memory for what a thread's registers do not hold, in the kernel
  /// that launches of these sizes take: a schedule with any is a bad one. 0 on
  /// a CPU. Errors: those of prepare().
  Result<int64_t> spilledBytes(const ProblemSizes &sizes) const;

private:
  std::shared_ptr<const Impl> pimpl;
};

/// Row-wise softmax of a materialised score matrix with the mods applied:
/// the middle step of unfused attention, used by the `math` backend and by
/// references. Not for production: the matrix grows with queries * keys.
class SoftmaxKernel {
public:
  /// `scoreType`: F32 or F64 (CPU only; mods are evaluated in f32 all the
  /// same). `probabilityType`: element type of the result.
  static Result<SoftmaxKernel> compile(const Mod &, Target,
                                       ElementType scoreType,
                                       ElementType probabilityType);

  /// scores: contiguous [count][queries][keys], row (b,h) = first + i, where
  /// first and i count b * heads + h. probabilities: the same shape; may be the
  /// same memory if the types have the same width. s = scale * score.
  /// lse: [count][queries] of scoreType, or null. CPU: on all cores.
  Result<void> run(const void *scores, void *probabilities, void *lse,
                   int64_t first, int64_t count, int64_t heads, int64_t queries,
                   int64_t keys, double scale,
                   const std::vector<CaptureView> &captures,
                   void *stream = nullptr) const;

  struct Impl;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_ATTENTION_H
