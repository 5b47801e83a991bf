// Reads a YAML configuration into settings. The only file that uses yaml-cpp.
#ifndef ATTN_BENCH_CONFIG_CONFIGFILE_H
#define ATTN_BENCH_CONFIG_CONFIGFILE_H

#include "config/Setting.h"

namespace attn::bench {

/// Reads a map of scalars and lists of scalars. Errors: the file cannot be
/// read; a syntax error or another structure, with line and column.
Result<std::vector<Setting>> readConfigFile(const std::string &path);

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_CONFIGFILE_H
