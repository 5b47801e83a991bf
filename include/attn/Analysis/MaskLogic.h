// What a mask program says, as logic: which pairs (q, kv) it keeps, and which
// it drops, each as a disjunction of conjunctions of literals.
//
// A literal is an affine inequality in q and kv, or a boolean of the program
// that is none (a comparison of table entries, say). Inequalities on q, on kv
// and on q - kv alone make a zone, for which emptiness on a box of integers and
// the projection on kv are exact and cheap; that is what makes the
// classification of tiles exact for every combination of causal, windows,
// prefixes and the like. min, max, select and scf.if are split into cases.
#ifndef ATTN_ANALYSIS_MASKLOGIC_H
#define ATTN_ANALYSIS_MASKLOGIC_H

#include "attn/Analysis/ProgramDependence.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <optional>
#include <string>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace mlir::attn {

/// The axes of the scores.
enum class Axis { Query, Key };

/// query * q + key * kv + the sum of coefficient * uniform + constant, exact in
/// 64 bits. Uniforms are integers of the program that depend on neither
/// position.
struct AffineForm {
  int64_t query = 0, key = 0, constant = 0;
  SmallVector<std::pair<Value, int64_t>, 2> uniforms;

  int64_t along(Axis axis) const { return axis == Axis::Query ? query : key; }
  /// Whether only the constants may differ.
  bool isParallel(const AffineForm &other) const;
  AffineForm plus(const AffineForm &other, int64_t factor) const;
  bool operator==(const AffineForm &other) const;
  /// Whether no uniform has more than 32 bits: sums then stay within 64.
  bool hasSmallUniforms() const;
};

/// `form` >= 0, or else the i1 `value`, or its negation.
struct Literal {
  AffineForm form;
  Value value;
  bool negated = false;

  /// Whether it constrains q, kv or q - kv alone, with coefficients of 1.
  bool isZone() const;
};

/// All of its literals hold; empty: always.
using Conjunction = SmallVector<Literal, 4>;
/// Some conjunction holds; empty: never.
using Disjunction = SmallVector<Conjunction, 2>;

/// Whether the positions of a zone on `axis` start at the first, or end at the
/// last, whatever those of the other axis are.
bool startsAtFirst(const Conjunction &all, Axis axis);
bool endsAtLast(const Conjunction &all, Axis axis);

class MaskLogic {
public:
  /// `mask`: an inlined mask program; an empty region keeps everything.
  explicit MaskLogic(Region &mask);

  /// Literals of the two are opaque where `isExact` is false.
  Disjunction kept, dropped;

  /// Forms that must stay within the integers of a width for every pair of the
  /// problem: where one does not, the program wraps, and nothing of the above
  /// holds.
  SmallVector<std::pair<AffineForm, unsigned>> guards;

  /// Values (i1, i32, f32) that depend on q alone or on kv alone and are not
  /// affine: their least and greatest value over a tile are worth computing
  /// once.
  SmallVector<Value> parts;

  /// Whether no literal depends on a position without being a zone: then tiles
  /// are classified without evaluating the program.
  bool isExact = true;
  /// Whether for every run of positions of the other axis the positions of
  /// `axis` that some of them keep are one run, and so are those that all keep.
  bool hasOneRun(Axis axis) const;

  struct Remark {
    Location location;
    std::string text;
  };
  /// What could not be followed, for the user.
  SmallVector<Remark> remarks;

  /// Null for an empty region.
  ProgramDependence *dependence() const { return positions.get(); }
  /// The value of the mask; null for an empty region.
  Value result;

  /// `value` as an affine form, if it is one.
  std::optional<AffineForm> affine(Value value);

  /// The positions b and h that the program reads.
  bool readsBatch() const, readsHead() const;

  void print(llvm::raw_ostream &os) const;

private:
  class Reader;
  /// Adds guards for the uniforms of a form that have more than 32 bits.
  void guardUniforms(const AffineForm &form);
  std::unique_ptr<ProgramDependence> positions;
  llvm::DenseMap<Value, std::optional<AffineForm>> affineForms;
};

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_MASKLOGIC_H
