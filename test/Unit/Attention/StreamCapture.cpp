// See StreamCapture.h. The driver's functions are looked up here: nothing but
// tests calls them.
#include "StreamCapture.h"

#include "Harness.h"

#include <gtest/gtest.h>

#include <dlfcn.h>

using namespace attn;
using namespace attn::test;

/// Calls a function of the driver by its name.
template <typename... Arguments>
static void call(const char *name, Arguments... arguments) {
  static void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  ASSERT_NE(driver, nullptr) << dlerror();
  auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(driver, name));
  ASSERT_NE(function, nullptr) << dlerror();
  ASSERT_EQ(function(arguments...), 0) << name;
}

CapturedGraph::CapturedGraph(const std::function<void()> &enqueue) {
  constexpr int global = 0; // what no thread may do meanwhile
  call("cuStreamBeginCapture_v2", device().stream(), global);
  enqueue();
  call("cuStreamEndCapture", device().stream(), &graph);
  call("cuGraphInstantiateWithFlags", &executable, graph, 0ULL);
}

CapturedGraph::~CapturedGraph() {
  if (executable)
    call("cuGraphExecDestroy", executable);
  if (graph)
    call("cuGraphDestroy", graph);
}

void CapturedGraph::launch() {
  call("cuGraphLaunch", executable, device().stream());
  Result<void> done = device().synchronize();
  EXPECT_TRUE(done) << done.error();
}
