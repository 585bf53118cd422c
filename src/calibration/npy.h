// Own small reader and writer for NumPy's .npy files, versions 1.0 and 2.0: little endian, the element types
// that Skua has. Anything else is refused with what was found. Bounded: nothing is allocated before the
// header and the file's size agree.
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

/// A header is no longer than NumPy reads, with what comes in front of it.
inline constexpr std::size_t kNpyHeaderLimitBytes = 12 + 10'000;

struct NpyHeader {
  DType dtype = DType::kFloat32;
  Shape shape;
  bool is_fortran = false;      ///< the first dimension changes fastest
  std::size_t data_offset = 0;  ///< where the values begin; they reach to the file's end
};

/// The header at the beginning of `bytes`, which need not hold the values. `where` names the file in
/// messages. InvalidArgumentError (malformed, dtype_mismatch), without what to do. Thread-safe, as all here.
Result<NpyHeader> decode_npy_header(std::span<const std::byte> bytes, const std::string& where);

/// A whole file in C order. InvalidArgumentError (malformed, dtype_mismatch) or OutOfMemoryError.
Result<Tensor> decode_npy(std::span<const std::byte> bytes, const std::string& where);
/// The header of version 1.0 that precedes the data of `view`.
std::string encode_npy_header(const TensorView& view);

/// InvalidArgumentError (not_found, not_regular_file, too_large, malformed, ...).
Result<Tensor> read_npy(const std::filesystem::path& file);
/// Writes whole or not at all. Requires a host view with a static shape. IoError.
Status write_npy(const std::filesystem::path& file, const TensorView& view);

}  // namespace skua
