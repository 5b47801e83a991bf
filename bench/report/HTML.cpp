// Puts the parts of the page together.
#include "report/HTML.h"

#include <string_view>

using namespace attn;
using namespace attn::bench;

// See cmake/EmbedFile.cmake.
#define ATTN_EMBEDDED(name)                                                    \
  extern "C" const char attn_##name[], attn_##name##_end[];                    \
  static std::string_view name() {                                             \
    return {attn_##name,                                                       \
            static_cast<size_t>(attn_##name##_end - attn_##name)};             \
  }
ATTN_EMBEDDED(report_page)
ATTN_EMBEDDED(report_style)
ATTN_EMBEDDED(report_script)
ATTN_EMBEDDED(report_plotly)
#undef ATTN_EMBEDDED

/// What `{{name}}` in the page stands for.
static std::string partFor(std::string_view name, const Results &results) {
  if (name == "style")
    return std::string(report_style());
  if (name == "plotly")
    return std::string(report_plotly());
  if (name == "script")
    return std::string(report_script());
  if (name == "results")
    return toEmbeddedJSON(results);
  return "";
}

std::string attn::bench::reportHTML(const Results &results) {
  std::string_view rest = report_page();
  std::string html;
  for (size_t at; (at = rest.find("{{")) != rest.npos;) {
    size_t end = rest.find("}}", at);
    html += rest.substr(0, at);
    html += partFor(rest.substr(at + 2, end - at - 2), results);
    rest.remove_prefix(end + 2);
  }
  return html += rest;
}
