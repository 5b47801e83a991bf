// See CodeCache.h.
#include "CodeCache.h"

#include "attn/API/Version.h"
#include "attn/Cache/BuildId.h"
#include "attn/Runtime/CubinStore.h"
#include "attn/Support/Try.h"
#include "attn/Target/PTX/EmitPTX.h"

#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

using namespace attn;

//===--- the cache of this process ----------------------------------------===//

using StorePtr = std::shared_ptr<const cache::Store>;

static void sayRemark(const std::string &text) {
  std::fprintf(stderr, "attn: note: %s\n", text.c_str());
}

/// Null: there is none, for a reason that was said.
static StorePtr openStore(CacheOptions options) {
  if (!options.remark)
    options.remark = sayRemark;
  if (options.directory.empty()) {
    std::optional<std::string> directory = cache::defaultDirectory();
    if (!directory)
      return nullptr;
    options.directory = *directory;
  }
  Result<std::shared_ptr<cache::Store>> store = cache::Store::open(
      {options.directory, options.mostBytes, options.remark});
  if (store)
    return *store;
  options.remark("there is no cache: " + store.error());
  return nullptr;
}

namespace {
/// What ptxas made, in the same store. The PTX is what the compiler is known by
/// here.
struct Cubins final : cuda::CubinStore {
  explicit Cubins(StorePtr store)
      : store(std::move(store)), assembler(mlir::attn::findAssembler()) {}

  std::optional<std::string> cubinOf(const std::string &chip,
                                     const std::string &ptx) const override {
    if (!assembler)
      return std::nullopt;
    std::string key = assembler->identity + "\nchip " + chip + "\nPTX " +
                      cache::digestOf(ptx) + "\n";
    if (std::optional<std::string> kept = store->get(cache::Kind::Cubin, key))
      return kept;
    KernelImage image;
    image.target = chip;
    image.code = ptx;
    // The driver says more of why.
    if (llvm::Error error = mlir::attn::assembleImage(image, assembler->path)) {
      llvm::consumeError(std::move(error));
      return std::nullopt;
    }
    store->put(cache::Kind::Cubin, key, image.code);
    return std::move(image.code);
  }

  StorePtr store;
  std::optional<mlir::attn::Assembler> assembler;
};

/// What a program says, or before it says something the environment.
class Current {
public:
  void set(StorePtr newStore) {
    std::lock_guard<std::mutex> lock(mutex);
    decide(std::move(newStore));
  }
  StorePtr get() {
    std::lock_guard<std::mutex> lock(mutex);
    const char *named = std::getenv("ATTN_CACHE_DIR");
    if (!isDecided)
      decide(named && *named ? openStore({}) : nullptr);
    return store;
  }

private:
  void decide(StorePtr newStore) {
    isDecided = true;
    store = std::move(newStore);
    cuda::setCubinStore(store ? std::make_shared<Cubins>(store) : nullptr);
  }

  std::mutex mutex;
  bool isDecided = false;
  StorePtr store;
};
} // namespace

/// Kernels may be compiled while the process ends.
static Current &current() {
  static auto *current = new Current();
  return *current;
}

void attn::useCache(CacheOptions options) {
  current().set(openStore(std::move(options)));
}

void attn::useNoCache() { current().set(nullptr); }

StorePtr attn::codeStore() { return current().get(); }

std::string attn::cacheDirectory() {
  StorePtr store = codeStore();
  return store ? store->directory() : "";
}

//===--- code -------------------------------------------------------------===//

static std::atomic<int64_t> compiled{0}, cached{0};

CodeCounts attn::codeCounts() { return {compiled, cached}; }

Result<void>
attn::cachedCode(cache::Kind kind, const MakeKey &key,
                 const std::function<Result<std::string>()> &compile,
                 const std::function<Result<void>(const std::string &)> &use) {
  StorePtr store = codeStore();
  // Without a name for this compiler, nobody knows whose code an entry has.
  if (store && cache::buildId().empty())
    store = nullptr;
  std::string full;
  if (store) {
    full =
        "build " + cache::buildId() + "\nLLVM " + llvmVersion() + "\n" + key();
    std::optional<std::string> found = store->get(kind, full);
    if (found && use(*found)) {
      ++cached;
      return {};
    }
  }
  ++compiled;
  ATTN_TRY_ASSIGN(std::string code, compile());
  ATTN_TRY(use(code));
  if (store)
    store->put(kind, full, code);
  return {};
}

/// Each behind its size in a line.
static std::string encode(const Images &images) {
  std::string bytes;
  for (const KernelImage &image : images) {
    std::string saved = image.save();
    bytes += std::to_string(saved.size()) + "\n" + saved;
  }
  return bytes;
}

static Result<Images> decode(std::string_view bytes) {
  Images images;
  while (!bytes.empty()) {
    size_t size = 0, line = bytes.find('\n');
    const char *end = bytes.data() + std::min(line, bytes.size());
    auto [read, error] = std::from_chars(bytes.data(), end, size);
    if (line == bytes.npos || error != std::errc() || read != end ||
        size > bytes.size() - line - 1)
      return Error{"expects an image behind its size"};
    ATTN_TRY_ASSIGN(KernelImage image,
                    KernelImage::load(bytes.substr(line + 1, size)));
    images.push_back(std::move(image));
    bytes.remove_prefix(line + 1 + size);
  }
  if (images.empty())
    return Error{"expects an image, got none"};
  return images;
}

/// What is made goes through the same bytes as what is found, so that a cache
/// changes nothing.
Result<Images>
attn::cachedImages(cache::Kind kind, const MakeKey &key,
                   const std::function<Result<Images>()> &compile) {
  Images images;
  auto make = [&]() -> Result<std::string> {
    ATTN_TRY_ASSIGN(Images made, compile());
    return encode(made);
  };
  auto use = [&](const std::string &code) -> Result<void> {
    ATTN_TRY_ASSIGN(images, decode(code));
    return {};
  };
  ATTN_TRY(cachedCode(kind, key, make, use));
  return images;
}
