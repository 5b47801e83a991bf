// Where the files that come with the tool are: in a build tree, in a package,
// in an installation.
#ifndef ATTN_BENCH_CONFIG_FILES_H
#define ATTN_BENCH_CONFIG_FILES_H

#include "config/Setting.h"

#include <filesystem>

namespace attn::bench {

/// The directories in which there may be a `configs/` of the tool's own,
/// nearest first.
std::vector<std::filesystem::path> configDirectories();

/// The directory of the PyTorch worker; empty if it is not there.
std::string workerDirectory();

/// The file that `--config` means: a path, or the name of a configuration
/// beside the tool (`basic` is configs/config_basic.yaml, `llama3-8b`
/// configs/presets/llama3-8b.yaml). A word that is neither a file nor such a
/// name, but looks like a path, stays as it is. Errors: an unknown name, with
/// the nearest one.
Result<std::string> findConfig(const std::string &word);

} // namespace attn::bench

#endif // ATTN_BENCH_CONFIG_FILES_H
