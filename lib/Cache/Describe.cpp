// What attn-opt --cache-stats says.
#include "attn/Cache/Store.h"

#include "llvm/Support/FormatVariadic.h"

using namespace attn;
using namespace attn::cache;

static std::string line(llvm::StringRef kind, const Statistics::OfKind &some) {
  return llvm::formatv("{0,-6} {1,8} {2,12} {3,8}\n", kind, some.entries,
                       some.bytes, some.hits);
}

std::string cache::describe() {
  std::optional<std::string> directory = defaultDirectory();
  if (!directory)
    return "there is no cache: ATTN_CACHE_DIR is 'off', or there is no home "
           "directory\n";
  Store::Options options;
  options.directory = *directory;
  Result<std::shared_ptr<Store>> store = Store::open(std::move(options));
  if (!store)
    return "there is no cache: " + store.error() + "\n";
  std::string text = *directory + "\n";
  text += llvm::formatv("{0,-6} {1,8} {2,12} {3,8}\n", "kind", "entries",
                        "bytes", "hits");
  Statistics::OfKind all;
  for (const auto &[kind, some] : (*store)->statistics().kinds) {
    text += line(toString(kind), some);
    all.entries += some.entries, all.bytes += some.bytes, all.hits += some.hits;
  }
  return text + line("all", all);
}
