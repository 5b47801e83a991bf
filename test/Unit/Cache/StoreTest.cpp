// A store on a file system where things go wrong.
#include "Folder.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace attn::cache;

static std::string contentsOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static void overwrite(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Seconds before now.
static void setAge(const std::string &path, long seconds) {
  timespec then{time(nullptr) - seconds, 0};
  timespec times[] = {then, then};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

/// Runs `body` in a process of its own, which ends with what it returns.
static int inProcess(const std::function<bool()> &body) {
  pid_t child = fork();
  if (child == 0)
    _exit(body() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Store, GivesWhatItGot) {
  Folder folder;
  Watched store(folder.file("a/b"));
  EXPECT_EQ(store->get(Kind::CPU, "key"), std::nullopt);
  store->put(Kind::CPU, "key", "code");
  store->put(Kind::PTX, "key", "text");
  EXPECT_EQ(store->get(Kind::CPU, "key"), "code");
  EXPECT_EQ(store->get(Kind::PTX, "key"), "text");
  EXPECT_EQ(Watched(folder.file("a/b"))->get(Kind::CPU, "key"), "code");
  // Another value of a key takes the place of the one before.
  store->put(Kind::CPU, "key", "other");
  EXPECT_EQ(store->get(Kind::CPU, "key"), "other");
  EXPECT_TRUE(store.remarks.empty());
}

TEST(Store, IsForItsOwnerAlone) {
  Folder folder;
  std::string path = folder.file("cache");
  mode_t before = umask(0);
  Watched store(path);
  store->put(Kind::CPU, "key", "code");
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((path + "/" + fileNameOf(Kind::CPU, "key")).c_str(), &status),
            0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

/// Whoever may write there could have us run their code.
TEST(Store, RefusesADirectoryThatOthersWriteTo) {
  Folder folder;
  for (mode_t mode : {0770, 0707, 0777}) {
    chmod(folder.path.c_str(), mode);
    EXPECT_NE(Watched(folder.path).error.find("only its owner may write to"),
              std::string::npos);
  }
  chmod(folder.path.c_str(), 0755);
  EXPECT_EQ(Watched(folder.path).error, "");
}

TEST(Store, RefusesADirectoryOfAnotherUser) {
  Folder folder;
  std::string path = "/usr"; // the administrator's
  if (geteuid() == 0) {
    path = folder.path;
    ASSERT_EQ(chown(path.c_str(), 1, 1), 0);
  }
  EXPECT_NE(Watched(path).error.find("expects a directory of this user's"),
            std::string::npos);
}

TEST(Store, SaysWhyThereIsNoDirectory) {
  Folder folder;
  overwrite(folder.file("file"), "");
  EXPECT_NE(Watched(folder.file("file")).error.find("cannot be opened"),
            std::string::npos);
  EXPECT_NE(Watched(folder.file("file/below")).error.find("cannot be made"),
            std::string::npos);
  EXPECT_NE(Watched("").error, "");
}

TEST(Store, RemovesWhatIsDamaged) {
  Folder folder;
  Watched store(folder.path);
  std::string path = folder.file(fileNameOf(Kind::CPU, "key"));
  store->put(Kind::CPU, "key", "code");
  std::string whole = contentsOf(path), other = whole;
  other[other.size() - 1] ^= 4;
  for (const std::string &bytes :
       {other, whole.substr(0, whole.size() / 2), std::string(), whole + "x",
        encode(Kind::CPU, "another key", "code")}) {
    overwrite(path, bytes);
    EXPECT_EQ(store->get(Kind::CPU, "key"), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  ASSERT_EQ(store.remarks.size(), 1u); // of all of these
  EXPECT_NE(store.remarks[0].find("is damaged, and is made again"),
            std::string::npos);
  store->put(Kind::CPU, "key", "code");
  EXPECT_EQ(store->get(Kind::CPU, "key"), "code");
}

TEST(Store, ReadsNoLinksAndNoPipes) {
  Folder folder;
  Watched store(folder.path);
  store->put(Kind::CPU, "key", "code");
  std::string path = folder.file(fileNameOf(Kind::CPU, "key"));
  std::filesystem::rename(path, folder.file("elsewhere"));
  std::filesystem::create_symlink(folder.file("elsewhere"), path);
  EXPECT_EQ(store->get(Kind::CPU, "key"), std::nullopt);
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(store->get(Kind::CPU, "key"), std::nullopt);
}

/// What is there serves; that nothing is kept is said once.
TEST(Store, ServesADirectoryThatIsReadOnly) {
  Folder folder;
  Watched(folder.path)->put(Kind::CPU, "key", "code");
  constexpr uid_t nobody = 65534;
  bool isRoot = geteuid() == 0; // to whom all is writable
  if (isRoot) {
    ASSERT_EQ(chown(folder.path.c_str(), nobody, nobody), 0);
    std::string entry = folder.file(fileNameOf(Kind::CPU, "key"));
    ASSERT_EQ(chown(entry.c_str(), nobody, nobody), 0);
  }
  chmod(folder.path.c_str(), 0500);
  EXPECT_EQ(inProcess([&] {
              // Folders above may be closed to others.
              if (chdir(folder.path.c_str()) || (isRoot && setuid(nobody)))
                return false;
              Watched store(".");
              bool serves = store->get(Kind::CPU, "key") == "code";
              store->put(Kind::CPU, "other", "code");
              store->put(Kind::CPU, "third", "code");
              return serves && !store->get(Kind::CPU, "other") &&
                     store.remarks.size() == 1 &&
                     store.remarks[0].find("cannot be written") !=
                         std::string::npos;
            }),
            0);
  chmod(folder.path.c_str(), 0700);
}

/// The system ends a write in the middle: half an entry is nobody's.
TEST(Store, KeepsNothingWhereThereIsNoRoom) {
  Folder folder;
  EXPECT_EQ(inProcess([&] {
              signal(SIGXFSZ, SIG_IGN);
              rlimit limit{100000, 100000};
              if (setrlimit(RLIMIT_FSIZE, &limit))
                return false;
              Watched store(folder.path);
              store->put(Kind::CPU, "small", "code");
              store->put(Kind::CPU, "large", std::string(200000, 'x'));
              return store->get(Kind::CPU, "small") == "code" &&
                     !store->get(Kind::CPU, "large") &&
                     store.remarks.size() == 1;
            }),
            0);
  EXPECT_EQ(folder.entries().size(), 1u);
  for (const auto &item : std::filesystem::directory_iterator(folder.path))
    EXPECT_NE(item.path().filename().string().substr(0, 9), ".attn-tmp");
}

TEST(Store, ForgetsWhatWasNotUsedForLongest) {
  Folder folder;
  Watched store(folder.path, 40000);
  const std::string code(9000, 'x');
  for (int i = 0; i < 4; ++i) {
    std::string key = "key " + std::to_string(i);
    store->put(Kind::CPU, key, code);
    setAge(folder.file(fileNameOf(Kind::CPU, key)), 1000 - i);
  }
  EXPECT_EQ(store->get(Kind::CPU, "key 0"), code); // used, and young again
  store->put(Kind::CPU, "new", code);
  EXPECT_EQ(store->get(Kind::CPU, "key 0"), code);
  EXPECT_EQ(store->get(Kind::CPU, "key 1"), std::nullopt);
  EXPECT_EQ(store->get(Kind::CPU, "key 2"), std::nullopt);
  EXPECT_EQ(store->get(Kind::CPU, "key 3"), code);
  EXPECT_EQ(store->get(Kind::CPU, "new"), code);
  // Larger than all there may be: the others stay.
  store->put(Kind::CPU, "huge", std::string(50000, 'x'));
  EXPECT_EQ(folder.entries().size(), 3u);
  EXPECT_TRUE(store.remarks.empty());
}

/// What others may have written while the directory was open to them, or still
/// can by a name of their own, is not run.
TEST(Store, TakesNothingThatMayBeAnothersFile) {
  Folder folder;
  std::string entry = folder.file(fileNameOf(Kind::CPU, "key"));
  auto isTaken = [&](const std::function<void()> &spoil) {
    Watched store(folder.path);
    store->put(Kind::CPU, "key", "code");
    EXPECT_EQ(store->get(Kind::CPU, "key"), "code");
    spoil();
    bool taken = store->get(Kind::CPU, "key").has_value();
    EXPECT_EQ(store.remarks.size(), taken ? 0u : 1u);
    EXPECT_EQ(std::filesystem::exists(entry), taken);
    return taken;
  };
  EXPECT_TRUE(isTaken([] {}));
  EXPECT_FALSE(isTaken([&] { chmod(entry.c_str(), 0620); }));
  EXPECT_FALSE(isTaken([&] { chmod(entry.c_str(), 0602); }));
  EXPECT_FALSE(isTaken([&] {
    ASSERT_EQ(link(entry.c_str(), folder.file("of-others").c_str()), 0);
  }));
  if (geteuid() == 0) {
    EXPECT_FALSE(
        isTaken([&] { ASSERT_EQ(chown(entry.c_str(), 65534, 65534), 0); }));
  }
}

TEST(Store, RemovesWhatWritersLeftBehind) {
  Folder folder;
  std::string left = folder.file(temporaryName(1, 0, 0)),
              open = folder.file(temporaryName(2, 0, 0));
  overwrite(left, "half");
  overwrite(open, "of one that writes now");
  setAge(left, 7200);
  std::vector<std::string> own;
  for (const char *name : {"notes.txt", "tmp-notes", "tmp-1-0-0", ".attn-tmp",
                           ".attn-tmp-1-2", ".attn-tmp-1-2-x"}) {
    own.push_back(folder.file(name));
    overwrite(own.back(), "the user's own");
    setAge(own.back(), 7200);
  }
  Watched store(folder.path, 1000);
  for (int i = 0; i < 10; ++i)
    store->put(Kind::CPU, std::to_string(i), std::string(300, 'x'));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(open));
  for (const std::string &name : own)
    EXPECT_TRUE(std::filesystem::exists(name)) << name;
  EXPECT_LE(folder.entries().size(), 3u);
}

/// A directory of many entries is not looked through for each new one.
TEST(Store, LooksAtItsDirectoryNowAndThen) {
  Folder folder;
  std::string left = folder.file(temporaryName(1, 0, 0));
  Watched store(folder.path, 6400000);
  int number = 0;
  auto looksAfter = [&](int puts, size_t bytes) {
    overwrite(left, "half");
    setAge(left, 7200);
    for (int i = 0; i < puts; ++i)
      store->put(Kind::CPU, std::to_string(number++), std::string(bytes, 'x'));
    return !std::filesystem::exists(left);
  };
  EXPECT_TRUE(looksAfter(1, 10)); // at first
  EXPECT_FALSE(looksAfter(3, 10));
  EXPECT_FALSE(looksAfter(1, 60000));
  EXPECT_TRUE(looksAfter(1, 60000)); // more than a 64th of all
  EXPECT_FALSE(looksAfter(256, 0));
  EXPECT_TRUE(looksAfter(1, 0));
}

TEST(Store, CountsItsEntriesAndHits) {
  Folder folder;
  Watched store(folder.path);
  store->put(Kind::PTX, "a", "text");
  store->put(Kind::PTX, "b", "text");
  store->put(Kind::Cubin, "a", "code");
  for (int i = 0; i < 3; ++i)
    store->get(Kind::PTX, "a");
  (void)Watched(folder.path)->get(Kind::Cubin, "a");
  (void)store->get(Kind::CPU, "a");
  Statistics statistics = store->statistics();
  EXPECT_EQ(statistics.kinds[Kind::PTX].entries, 2);
  EXPECT_EQ(statistics.kinds[Kind::PTX].hits, 3);
  EXPECT_EQ(statistics.kinds[Kind::PTX].bytes,
            2 * int64_t(encode(Kind::PTX, "a", "text").size()));
  EXPECT_EQ(statistics.kinds[Kind::Cubin].entries, 1);
  EXPECT_EQ(statistics.kinds[Kind::Cubin].hits, 1);
  EXPECT_EQ(statistics.kinds.count(Kind::CPU), 0u);
}

TEST(DefaultDirectory, IsWhatTheEnvironmentSays) {
  setenv("ATTN_CACHE_DIR", "/somewhere", 1);
  EXPECT_EQ(defaultDirectory(), "/somewhere");
  setenv("ATTN_CACHE_DIR", "off", 1);
  EXPECT_EQ(defaultDirectory(), std::nullopt);
  for (bool isEmpty : {false, true}) {
    isEmpty ? setenv("ATTN_CACHE_DIR", "", 1) : unsetenv("ATTN_CACHE_DIR");
    setenv("HOME", "/home/me", 1);
    setenv("XDG_CACHE_HOME", "/caches", 1);
    EXPECT_EQ(defaultDirectory(), "/caches/attn/kernels");
    setenv("XDG_CACHE_HOME", "caches", 1);
    EXPECT_EQ(defaultDirectory(), "/home/me/.cache/attn/kernels");
    unsetenv("XDG_CACHE_HOME");
    EXPECT_EQ(defaultDirectory(), "/home/me/.cache/attn/kernels");
    setenv("HOME", ".", 1);
    EXPECT_EQ(defaultDirectory(), std::nullopt);
    unsetenv("HOME");
    EXPECT_EQ(defaultDirectory(), std::nullopt);
  }
}
