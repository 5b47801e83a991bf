// One entry of the cache as the bytes of its file, which say themselves whether
// they are whole and whose they are: a reader trusts no name, no length and no
// writer.
//
//   attn-cache 1
//   kind ptx
//   key 1234                 bytes
//   payload 5678 9f86...     bytes, and their BLAKE3
//   <key><payload>
#ifndef ATTN_CACHE_ENTRY_H
#define ATTN_CACHE_ENTRY_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace attn::cache {

/// What entries hold; statistics are told apart by it.
enum class Kind {
  CPU,   ///< code for a CPU
  PTX,   ///< code for a GPU's driver
  Cubin, ///< machine code that ptxas made of it
  Time   ///< how long a schedule took, or why it does not run
};
inline constexpr std::array<Kind, 4> kinds = {Kind::CPU, Kind::PTX, Kind::Cubin,
                                              Kind::Time};

/// As headers have it: "cpu", "ptx", "cubin", "time".
const char *toString(Kind kind);

/// The BLAKE3 of some bytes, 256 bits as 64 hexadecimal digits.
std::string digestOf(std::string_view bytes);

/// What the file of an entry is called: digits of digestOf() its kind and key,
/// and a suffix.
std::string fileNameOf(Kind kind, std::string_view key);
/// Whether a file may be an entry by its name.
bool isFileName(std::string_view name);

/// The name of an entry that is being written: `.attn-tmp-PROCESS-NUMBER-TIME`.
/// No file of a user's has it.
std::string temporaryName(int64_t process, int64_t number, int64_t time);
bool isTemporaryName(std::string_view name);

std::string encode(Kind kind, std::string_view key, std::string_view payload);

/// The payload, a part of `file`. Nullopt: `file` is not whole, or is not the
/// entry of this kind and key.
std::optional<std::string_view> decode(std::string_view file, Kind kind,
                                       std::string_view key);

/// The kind that a file which begins so says it has; of its contents nothing
/// else is looked at.
std::optional<Kind> kindOf(std::string_view beginning);
/// So many bytes of a file suffice for kindOf().
inline constexpr int64_t kindBytes = 64;

} // namespace attn::cache

#endif // ATTN_CACHE_ENTRY_H
