// Own small reader and writer for NumPy's .npy files, versions 1.0 and 2.0: C order, little endian, the
// element types that Skua has. Anything else is refused with what was found. Bounded: nothing is allocated
// before the header and the file's size agree.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "skua/tensor.h"

namespace skua {

/// Files beyond this size are refused (too_large).
inline constexpr std::uint64_t kNpyLimitBytes = std::uint64_t{4} << 30U;

/// InvalidArgumentError (malformed, dtype_mismatch) or OutOfMemoryError. `where` names the file in messages.
Result<Tensor> decode_npy(std::span<const std::byte> bytes, const std::string& where);
/// The header of version 1.0 that precedes the data of `view`.
std::string encode_npy_header(const TensorView& view);

/// InvalidArgumentError (not_found, not_regular_file, too_large, malformed, ...).
Result<Tensor> read_npy(const std::filesystem::path& file);
/// Writes whole or not at all. Requires a host view with a static shape. IoError.
Status write_npy(const std::filesystem::path& file, const TensorView& view);

}  // namespace skua
