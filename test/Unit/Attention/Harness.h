// Runs one attention problem through the API on a device and compares it with
// the oracle.
#ifndef ATTN_TEST_ATTENTION_HARNESS_H
#define ATTN_TEST_ATTENTION_HARNESS_H

#include "Oracle.h"
#include "devices/Device.h"

#include "attn/API/Attention.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn::test {

enum class Numbers { Normal, SmallIntegers };
enum class Layout { BHSD, BSHD };
/// How the elements of a captured tensor lie: one after the other; with rows
/// that are apart; apart in every dimension; the first dimension innermost;
/// without an own place in the first of several dimensions, or in the last
/// dimension (of whose elements the first counts).
enum class CaptureLayout {
  Contiguous,
  Padded,
  Apart,
  Transposed,
  SharedOuter,
  SharedInner
};

/// How keys and values lie in pages (KernelSpec::paged). Of the sizes, keys are
/// those that there is room for.
struct Paging {
  int64_t rows = 16, count = 0; ///< of a page; how many pages there are
  std::vector<int32_t> table;   ///< (batch, most pages)
  bool rowsFirst = false;       ///< NHD, else HND
  int64_t most(const ProblemSizes &s) const { return s.keys / rows; }
  /// The page of key `kv` of sequence `b`; negative if it has none.
  int64_t pageOf(const ProblemSizes &s, int64_t b, int64_t kv) const;
};

struct Case {
  std::string pattern = "noop";
  ElementType type = ElementType::F32;
  ProblemSizes sizes;
  Numbers numbers = Numbers::Normal;
  Layout layout = Layout::BHSD;
  bool lse = true;
  std::string schedule; ///< empty: chosen
  /// Elements between the end of a row and the next, and before the first row:
  /// anything but a multiple of 16 bytes makes rows misaligned.
  int64_t rowPadding = 0, offset = 0;
  /// Runs that must give the same bits.
  int runs = 1;
  /// The relative error of a score that the target is allowed beyond f32's.
  double scoreError = 0;
  /// The error of the LSE that is allowed; 0: by the sizes.
  double lseError = 0;
  /// Of the captures in turn; none: contiguous.
  std::vector<CaptureLayout> captureLayouts;
  CaptureLayout layoutOf(size_t capture) const {
    return captureLayouts.empty()
               ? CaptureLayout::Contiguous
               : captureLayouts[capture % captureLayouts.size()];
  }
  bool stridedCaptures = false; ///< KernelSpec's
  /// Where sequences begin that lie one behind another, and the last ends;
  /// none: there is a batch of them.
  std::vector<int32_t> queryStarts, keyStarts;
  /// Sequences of one length that the kernel is shown as a batch all the same;
  /// of queries without an LSE, which would lie in another order.
  bool queriesAsBatch = false, keysAsBatch = false;
  std::optional<Paging> paging = std::nullopt;
  int64_t shares = 0; ///< KernelSpec's

  /// A name of letters, digits and underscores.
  std::string name() const;
};

/// The device that the program was started for.
bench::Device &device();
Target selectedTarget();
void selectTarget(Target target);
/// On a GPU: the kernels for every GPU, even where it has kernels of its own.
void selectPortable();
bool portableIsSelected();
/// Whether kernels for sm_90a run.
bool runsSM90a();
/// Kernels run on the PTX machine, thousands of times slower than on a GPU:
/// what is about size is made smaller there.
bool interpreted();
void selectInterpreted();

/// configs/mods of the package that the program is in, else of the source tree.
std::string modsDirectory();
/// NAME.mlir there.
Result<Mod> loadPattern(const std::string &name);

/// Random inputs of the case's element type, as numbers.
Inputs makeInputs(const Case &c);

/// Captured values where kernels read them, in the layouts of a case.
class PlacedCaptures {
public:
  PlacedCaptures(const Case &c, const Mod &mod,
                 const std::vector<CaptureData> &captures);
  ~PlacedCaptures();
  const std::vector<CaptureView> &views() const { return captureViews; }

private:
  std::vector<CaptureView> captureViews;
  struct Memory;
  std::unique_ptr<Memory> memory;
};

/// Runs and compares every element of out and lse (expectations of GoogleTest);
/// out is poisoned before each run, and the memory around it and between its
/// rows must stay as it was. With pages, rows that are NaN are not written to
/// them, and what nobody writes is NaN. `bits`: what was written to out.
void runAndCompare(const Case &c, const Mod &mod, const Oracle &oracle,
                   const Inputs &inputs,
                   const std::vector<CaptureData> &captures,
                   std::vector<char> *bits = nullptr);

/// All of the above for a named pattern.
void runPattern(const Case &c);

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_HARNESS_H
