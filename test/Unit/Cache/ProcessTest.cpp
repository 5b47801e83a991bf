// Many processes at once on one store, some of which are killed: what a reader
// gets is always what belongs to its key.
#include "Folder.h"

#include <csignal>
#include <ctime>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

using namespace attn::cache;

/// What belongs to a key; any process can tell.
static std::string payloadOf(int key) {
  std::mt19937 random(key);
  std::string bytes(2000 + random() % 60000, '\0');
  for (char &byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

/// Reads and writes until it is killed, or `steps` times. Exit code 1: it got
/// what it did not ask for.
[[noreturn]] static void work(const std::string &path, int64_t mostBytes,
                              unsigned seed, int keys, int steps) {
  auto store = Store::open({path, mostBytes, nullptr});
  if (!store)
    _exit(2);
  std::mt19937 random(seed);
  for (int i = 0; i < steps; ++i) {
    int number = random() % keys;
    std::string key = "key " + std::to_string(number);
    std::string expected = payloadOf(number);
    std::optional<std::string> got = (*store)->get(Kind::CPU, key);
    if (got && *got != expected)
      _exit(1);
    if (!got || random() % 8 == 0)
      (*store)->put(Kind::CPU, key, expected);
  }
  _exit(0);
}

static void run(int processes, int kills, int steps, int keys,
                int64_t mostBytes) {
  Folder folder;
  std::vector<pid_t> children;
  unsigned seed = 1;
  auto start = [&](int some) {
    pid_t child = fork();
    if (child == 0)
      work(folder.path, mostBytes, seed, keys, some);
    ++seed;
    return child;
  };
  for (int i = 0; i < processes; ++i)
    children.push_back(start(steps));
  std::mt19937 random(7);
  for (int i = 0; i < kills; ++i) {
    timespec pause{0, long(random() % 4000000)};
    nanosleep(&pause, nullptr);
    pid_t &victim = children[random() % children.size()];
    kill(victim, SIGKILL);
    int status = 0;
    waitpid(victim, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    victim = start(steps);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  // What is left is whole.
  Watched store(folder.path);
  int found = 0;
  for (int i = 0; i < keys; ++i) {
    std::optional<std::string> got =
        store->get(Kind::CPU, "key " + std::to_string(i));
    found += got.has_value();
    EXPECT_TRUE(!got || *got == payloadOf(i));
  }
  EXPECT_GT(found, 0);
  EXPECT_TRUE(store.remarks.empty()) << store.remarks[0];
}

static bool isLong() { return std::getenv("ATTN_TEST_LONG"); }

TEST(Processes, ShareOneKey) {
  isLong() ? run(64, 500, 400, 1, 1 << 30) : run(8, 20, 20, 1, 1 << 30);
}

/// Entries go while others read them.
TEST(Processes, ShareKeysWithoutRoomForAll) {
  isLong() ? run(64, 500, 400, 20, 300000) : run(8, 20, 20, 20, 300000);
}
