// The page for a browser.
#include "report/HTML.h"

#include "../results/FullRow.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
TEST(HTML, NothingEndsTheScriptEarly) {
  std::string html = reportHTML(fullResults());
  EXPECT_EQ(html.find("a device </script>"), std::string::npos);
  EXPECT_NE(html.find("a device \\u003c/script\\u003e"), std::string::npos);
  EXPECT_NE(html.find("drawThroughput"), std::string::npos);
  for (const char *placeholder :
       {"{{style}}", "{{plotly}}", "{{results}}", "{{script}}"})
    EXPECT_EQ(html.find(placeholder), html.npos) << placeholder;
}
} // namespace
