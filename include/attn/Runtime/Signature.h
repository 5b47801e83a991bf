// What a kernel takes, parameter by parameter, and the one way to fill it from
// named tensors. Needs no MLIR: passes write roles into the IR
// (attn/Dialect/Attn/IR/KernelSignature.h), this is what a launch reads.
#ifndef ATTN_RUNTIME_SIGNATURE_H
#define ATTN_RUNTIME_SIGNATURE_H

#include "attn/API/Result.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attn {

enum class Role {
#define ATTN_ROLE(identifier, name) identifier,
#include "attn/Runtime/Roles.def"
};

/// The name in IR, such as "grad_out".
const char *toString(Role role);
std::optional<Role> roleNamed(std::string_view name);
/// Whether several parameters of a kernel have the role, each with a number.
bool isNumbered(Role role);
/// Whether a mod captures what has the role.
bool isCaptured(Role role);

/// A role, and which of those that have it: captures and workspaces are
/// numbered, other numbers are 0.
struct RoleName {
  Role role = Role::Query;
  int64_t number = 0;
  friend bool operator==(const RoleName &a, const RoleName &b) {
    return a.role == b.role && a.number == b.number;
  }
};
/// Such as "query" or "capture 1".
std::string toString(const RoleName &name);

struct Parameter {
  enum class Kind {
    Memory,   ///< two pointers, an offset, `rank` sizes, `rank` strides
    Scalar,   ///< up to eight bytes by value
    TensorMap ///< 128 bytes, of the memory that `of` names
  };
  Kind kind = Kind::Memory;
  RoleName name;
  int64_t rank = 0;
  RoleName of;      ///< of a tensor map
  int64_t rows = 0; ///< of a tensor map's box
  friend bool operator==(const Parameter &a, const Parameter &b) {
    return a.kind == b.kind && a.name == b.name && a.rank == b.rank &&
           a.of == b.of && a.rows == b.rows;
  }
};
using Signature = std::vector<Parameter>;

/// How many machine-level parameters stand for one: a memory's words are passed
/// one by one.
size_t flatCount(const Parameter &parameter);
size_t flatCount(const Signature &signature);
/// Whether a parameter has this role.
bool takes(const Signature &signature, Role role);

/// Sizes or strides, in elements, which something else keeps.
class Extents {
public:
  Extents() = default;
  Extents(const int64_t *first, size_t count) : first(first), count(count) {}
  Extents(const std::vector<int64_t> &all) : Extents(all.data(), all.size()) {}
  template <size_t n>
  Extents(const std::array<int64_t, n> &all) : Extents(all.data(), n) {}
  /// For as long as the expression that names them.
  Extents(std::initializer_list<int64_t> all)
      : Extents(all.begin(), all.size()) {}

  size_t size() const { return count; }
  int64_t operator[](size_t i) const { return first[i]; }
  const int64_t *begin() const { return first; }
  const int64_t *end() const { return first + count; }

private:
  const int64_t *first = nullptr;
  size_t count = 0;
};

/// Memory, or a scalar: what stands for a role in a launch.
struct Binding {
  uint64_t word = 0;      ///< the memory's address, or a scalar's bytes
  Extents sizes, strides; ///< of a scalar none
  bool isF16 = false;     ///< of 16-bit elements: f16, else bf16
};

/// The strides of contiguous elements.
std::vector<int64_t> contiguousStrides(const std::vector<int64_t> &sizes);

/// The tensors and numbers of one launch, by what they are. All are in two
/// allocations: a launch takes a few microseconds of the host, of which a
/// vector for each would be a good part.
class Bindings {
public:
  Bindings();

  /// `strides`: as many as sizes.
  void memory(RoleName name, const void *data, Extents sizes, Extents strides);
  /// Contiguous.
  void memory(RoleName name, const void *data, Extents sizes);
  /// Memory for a tensor map of f16 instead of bf16.
  void markF16(RoleName name) { entryOf(name).isF16 = true; }
  /// Copies up to eight bytes.
  void scalar(RoleName name, const void *data, int64_t bytes);
  /// A number or an address.
  void word(RoleName name, uint64_t value) {
    scalar(name, &value, sizeof value);
  }

  /// What is bound to it, if anything is; until something else is bound.
  std::optional<Binding> find(RoleName name) const;

private:
  struct Entry {
    RoleName name;
    uint64_t word = 0;
    size_t first = 0, rank = 0; ///< of its sizes; strides are behind them
    bool isF16 = false;
  };
  Entry &entryOf(RoleName name);

  std::vector<Entry> entries; ///< a few: in the order in which they came
  std::vector<int64_t> extents;
};

/// A tensor map's 128 bytes, by the target that has such.
class TensorMapEncoder {
public:
  virtual ~TensorMapEncoder() = default;
  /// Writes the map of `memory` (of rank 4) with boxes of `rows` to `bytes`.
  /// Errors: what TMA does not take.
  virtual Result<void> encode(const Binding &memory, int64_t rows,
                              void *bytes) const = 0;
};

/// The parameters of one launch, filled by a signature from bindings.
class BoundParameters {
public:
  /// Errors: nothing is bound to a role, or memory of another rank; no encoder
  /// for a tensor map, or its error.
  static Result<BoundParameters> bind(const Signature &signature,
                                      const Bindings &bindings,
                                      const TensorMapEncoder *maps = nullptr);

  /// One address for each word of memory: how a GPU's launch takes them.
  std::vector<void *> flat() const;
  /// One address for each parameter, a memory's of its descriptor: how packed
  /// calls of the CPU's code take them.
  std::vector<void *> packed() const;

private:
  /// Aligned to what a tensor map needs.
  struct alignas(128) Words {
    uint64_t word[16];
  };
  /// Of a parameter, at the beginning of a Words.
  struct Place {
    size_t first, count; ///< of its words
    bool isMap;
  };
  void *wordOf(const Place &place, size_t i) const;

  std::vector<Place> places;
  std::vector<Words> words; ///< of all, so that they stay when this moves
};

} // namespace attn

#endif // ATTN_RUNTIME_SIGNATURE_H
