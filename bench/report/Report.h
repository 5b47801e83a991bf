// The rows of a run as text: the table and the summary that a run ends with.
#ifndef ATTN_BENCH_REPORT_REPORT_H
#define ATTN_BENCH_REPORT_REPORT_H

#include "report/Columns.h"
#include "results/RunInfo.h"

namespace attn::bench {

/// The table of all rows, the speed-ups of the first backend over each other
/// one, what was measured of the device, and a command line for each case with
/// a fault.
std::string reportText(const std::vector<std::string> &backends,
                       const std::vector<Row> &rows,
                       const Ceilings &ceilings = {});

/// What each kernel was compiled for, and the sums of a backend; empty without
/// any.
std::string kernelText(const std::vector<KernelCount> &kernels);

/// The same rows as a CSV file.
std::string reportCSV(const std::vector<std::string> &backends,
                      const std::vector<Row> &rows,
                      const Ceilings &ceilings = {});

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_REPORT_H
