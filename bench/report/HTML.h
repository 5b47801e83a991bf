// The report for a browser: one file that needs nothing else, not even a
// network.
#ifndef ATTN_BENCH_REPORT_HTML_H
#define ATTN_BENCH_REPORT_HTML_H

#include "results/JSON.h"

namespace attn::bench {

/// Page, style, scripts, plotting library and results in one text. Without the
/// library (see ./dev setup) the report has its tables and says that the plots
/// are missing.
std::string reportHTML(const Results &);

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_HTML_H
