// See Values.h.
#include "Values.h"

#include "attn/Support/Try.h"

using namespace attn;

// The C++ types follow each other as the C ones do, from 1.
static_assert(static_cast<int>(ElementType::F32) + 1 == ATTN_F32);
static_assert(static_cast<int>(ElementType::Bool) + 1 == ATTN_BOOL);

static bool isType(attn_type type) {
  return type >= ATTN_F32 && type <= ATTN_BOOL;
}

attn_type capi::typeOf(ElementType type) {
  return static_cast<attn_type>(type) + 1;
}

Result<ElementType> capi::typeOf(attn_type type, const char *name) {
  if (!isType(type))
    return Error{std::string("expects an attn_type of '") + name + "', got " +
                 std::to_string(type)};
  return static_cast<ElementType>(type - 1);
}

const char *attn_type_name(attn_type type) {
  return isType(type) ? toString(static_cast<ElementType>(type - 1)) : "";
}

int64_t attn_type_bytes(attn_type type) {
  return isType(type) ? byteWidth(static_cast<ElementType>(type - 1)) : 0;
}

/// What is below these can be multiplied by the bytes of a row, or by tiles of
/// the other positions.
static constexpr int64_t mostHeads = INT32_MAX, // of all batches
    mostPositions = INT32_MAX, mostRows = int64_t(1) << 40;

/// `heads` and `rows` of `batch` each, none of them negative.
static Result<void> checkRows(const char *name, int64_t batch, int64_t heads,
                              int64_t rows) {
  batch = std::max<int64_t>(batch, 1), heads = std::max<int64_t>(heads, 1);
  if (batch > mostHeads / heads)
    return Error{std::string("expects '") + name +
                 "' with fewer than 2^31 heads of all batches, got " +
                 std::to_string(batch) + " x " + std::to_string(heads)};
  if (rows > mostRows / (batch * heads))
    return Error{std::string("expects '") + name +
                 "' with at most 2^40 rows, got " + std::to_string(batch) +
                 " x " + std::to_string(heads) + " x " + std::to_string(rows)};
  return {};
}

Result<ProblemSizes> capi::sizesOf(const attn_sizes *given, const char *name) {
  ATTN_TRY_ASSIGN(attn_sizes s, copyOf(given, name));
  for (int64_t number : {s.batch, s.heads, s.kv_heads, s.queries, s.keys,
                         s.head_dim, s.value_dim, s.sequences})
    if (number < 0 || number > mostPositions)
      return Error{std::string("expects '") + name +
                   "' with numbers from 0 to 2^31 - 1, got " +
                   std::to_string(number)};
  ATTN_TRY(checkRows(name, s.batch, s.heads, std::max(s.queries, s.keys)));
  ATTN_TRY(checkRows(name, s.batch, s.kv_heads, s.keys));
  return ProblemSizes{
      s.batch, s.heads,    s.kv_heads,  s.queries,
      s.keys,  s.head_dim, s.value_dim, s.sequences ? s.sequences : s.batch};
}

Result<SizeRange> capi::rangeOf(const attn_sizes *smallest,
                                const attn_sizes *largest) {
  ATTN_TRY_ASSIGN(ProblemSizes from, sizesOf(smallest, "smallest"));
  if (!largest)
    return SizeRange{from, from};
  ATTN_TRY_ASSIGN(ProblemSizes to, sizesOf(largest, "largest"));
  return SizeRange{from, to};
}

Result<TensorView> capi::tensorOf(const attn_tensor *given, const char *name) {
  ATTN_TRY_ASSIGN(attn_tensor t, copyOf(given, name));
  TensorView view;
  ATTN_TRY_ASSIGN(view.type, typeOf(t.type, name));
  view.data = t.data;
  std::copy_n(t.sizes, 4, view.sizes.begin());
  std::copy_n(t.strides, 3, view.strides.begin());
  for (int64_t size : view.sizes)
    if (size < 0)
      return Error{std::string("expects '") + name +
                   "' with sizes of at least 0, got " + std::to_string(size)};
  ATTN_TRY(checkRows(name, t.sizes[0], t.sizes[1], t.sizes[2]));
  return view;
}

/// Errors: more elements than 64 bits count.
static Result<void> checkElements(const CaptureView &view, const char *name) {
  int64_t elements = 1;
  for (int64_t size : view.sizes)
    if (size > 0 && __builtin_mul_overflow(elements, size, &elements))
      return Error{std::string("expects '") + name +
                   "' with fewer than 2^63 elements"};
  return {};
}

Result<CaptureView> capi::captureOf(const attn_capture *given,
                                    const char *name) {
  ATTN_TRY_ASSIGN(attn_capture c, copyOf(given, name));
  constexpr int32_t mostDimensions = 64;
  if (c.rank < 0 || c.rank > mostDimensions)
    return Error{std::string("expects '") + name +
                 "' of a rank from 0 to 64, got " + std::to_string(c.rank)};
  if (c.rank && !c.sizes)
    return Error{std::string("expects sizes of '") + name + "', got NULL"};
  CaptureView view;
  view.data = c.data;
  if (c.rank)
    view.sizes.assign(c.sizes, c.sizes + c.rank);
  if (c.rank && c.strides)
    view.strides.assign(c.strides, c.strides + c.rank);
  if (c.type) {
    ATTN_TRY_ASSIGN(view.type, typeOf(c.type, name));
  }
  ATTN_TRY(checkElements(view, name));
  return view;
}

Result<std::vector<CaptureView>>
capi::capturesOf(const attn_capture *given, size_t count,
                 const std::vector<CaptureInfo> &expected) {
  if (count != expected.size())
    return Error{"expects " + std::to_string(expected.size()) +
                 " captures, got " + std::to_string(count)};
  std::vector<CaptureView> views;
  if (count == 0)
    return views;
  ATTN_TRY_ASSIGN(size_t step, sizeOf(given, "captures"));
  for (const CaptureInfo &info : expected) {
    std::string name = "capture '" + info.name + "'";
    if (given->size != step)
      return Error{"expects captures of one size, got " + std::to_string(step) +
                   " bytes and " + std::to_string(given->size)};
    ATTN_TRY_ASSIGN(CaptureView view, captureOf(given, info.name.c_str()));
    if (static_cast<int>(view.sizes.size()) != info.rank)
      return Error{"expects " + name + " of rank " + std::to_string(info.rank) +
                   ", got " + std::to_string(view.sizes.size())};
    views.push_back(std::move(view));
    given = reinterpret_cast<const attn_capture *>(
        reinterpret_cast<const char *>(given) + step);
  }
  return views;
}

Result<SequenceStarts> capi::startsOf(const attn_starts *given,
                                      const char *name) {
  if (!given)
    return SequenceStarts{};
  ATTN_TRY_ASSIGN(attn_starts starts, copyOf(given, name));
  if (starts.sequences > mostPositions)
    return Error{std::string("expects '") + name +
                 "' of fewer than 2^31 sequences, got " +
                 std::to_string(starts.sequences)};
  return SequenceStarts{starts.starts, starts.sequences};
}

Result<Target> capi::targetOf(attn_target target, const char *name) {
  if (target != ATTN_CPU && target != ATTN_CUDA)
    return Error{std::string("expects an attn_target of '") + name + "', got " +
                 std::to_string(target)};
  return target == ATTN_CPU ? Target::CPU : Target::CUDA;
}

Result<KernelSpec> capi::specOf(const attn_spec *given) {
  ATTN_TRY_ASSIGN(attn_spec s, copyOf(given, "spec"));
  KernelSpec spec;
  ATTN_TRY_ASSIGN(spec.target, targetOf(s.target, "spec"));
  ATTN_TRY_ASSIGN(spec.type, typeOf(s.type, "spec"));
  spec.headDim = s.head_dim;
  spec.valueDim = s.value_dim ? s.value_dim : s.head_dim;
  spec.lse = s.lse;
  if (s.scale)
    spec.scale = *s.scale;
  spec.schedule = s.schedule ? s.schedule : "";
  if (s.device)
    spec.device = *s.device;
  spec.aligned = !s.unaligned;
  spec.portable = s.portable;
  spec.exact = s.exact;
  spec.deterministic = s.deterministic;
  spec.raggedQueries = s.ragged_queries, spec.raggedKeys = s.ragged_keys;
  spec.paged = s.paged;
  spec.stridedCaptures = s.strided_captures;
  spec.invariant = s.invariant, spec.checked = s.checked;
  // Each has memory of its own, and no device runs as many at once.
  constexpr int64_t mostShares = 1 << 16;
  if (s.shares < 0 || s.shares > mostShares)
    return Error{"expects 'spec' with 0 to 65536 shares, got " +
                 std::to_string(s.shares)};
  spec.shares = s.shares;
  return spec;
}
