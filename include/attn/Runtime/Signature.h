// What a kernel takes, parameter by parameter, and the one way to fill it from
// named tensors. Needs no MLIR: passes write roles into the IR
// (attn/Dialect/Attn/IR/KernelSignature.h), this is what a launch reads.
#ifndef ATTN_RUNTIME_SIGNATURE_H
#define ATTN_RUNTIME_SIGNATURE_H

#include "attn/API/Result.h"

#include <cstdint>
#include <map>
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
  friend bool operator<(const RoleName &a, const RoleName &b) {
    return std::pair(a.role, a.number) < std::pair(b.role, b.number);
  }
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

/// Memory, or a scalar: what stands for a role in a launch.
struct Binding {
  uint64_t word = 0; ///< the memory's address, or a scalar's bytes
  std::vector<int64_t> sizes, strides; ///< in elements; of a scalar none
  bool isF16 = false;                  ///< of 16-bit elements: f16, else bf16
};

/// The strides of contiguous elements.
std::vector<int64_t> contiguousStrides(const std::vector<int64_t> &sizes);

/// The tensors and numbers of one launch, by what they are.
class Bindings {
public:
  void memory(RoleName name, const void *data, std::vector<int64_t> sizes,
              std::vector<int64_t> strides);
  /// Contiguous.
  void memory(RoleName name, const void *data, std::vector<int64_t> sizes);
  /// Memory for a tensor map of f16 instead of bf16.
  void markF16(RoleName name) { bound[name].isF16 = true; }
  /// Copies up to eight bytes.
  void scalar(RoleName name, const void *data, int64_t bytes);
  /// A number or an address.
  void word(RoleName name, uint64_t value) {
    scalar(name, &value, sizeof value);
  }

  /// Null if nothing is bound to it.
  const Binding *find(RoleName name) const;

private:
  std::map<RoleName, Binding> bound;
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
  struct Place {
    size_t count; ///< of words
    bool isMap;
    std::vector<Words> words;
  };
  static void *wordOf(const Place &place, size_t i);
  std::vector<Place> places;
};

} // namespace attn

#endif // ATTN_RUNTIME_SIGNATURE_H
