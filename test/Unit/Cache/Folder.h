// An empty directory for one test, which is gone behind it.
#ifndef ATTN_TEST_CACHE_FOLDER_H
#define ATTN_TEST_CACHE_FOLDER_H

#include "attn/Cache/Store.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

struct Folder {
  Folder() {
    path = testing::TempDir() + "attn-cache-XXXXXX";
    if (!mkdtemp(path.data()))
      ADD_FAILURE() << "no directory";
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder &) = delete;

  std::string file(const std::string &name) const { return path + "/" + name; }
  /// Names of all entries.
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto &item : std::filesystem::directory_iterator(path))
      if (attn::cache::isFileName(item.path().filename().string()))
        names.push_back(item.path().filename().string());
    return names;
  }

  std::string path;
};

/// A store, and what it remarked.
struct Watched {
  explicit Watched(const std::string &directory, int64_t mostBytes = 1 << 30) {
    auto opened = attn::cache::Store::open(
        {directory, mostBytes,
         [this](const std::string &text) { remarks.push_back(text); }});
    if (opened)
      store = *opened;
    else
      error = opened.error();
  }
  attn::cache::Store *operator->() const { return store.get(); }

  std::vector<std::string> remarks;
  std::string error; ///< if it is not open
  std::shared_ptr<attn::cache::Store> store;
};

#endif // ATTN_TEST_CACHE_FOLDER_H
