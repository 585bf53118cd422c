// NumPy's archives of arrays, as samples: read strictly, and written. libzip's errors end in npz*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "skua/tensor.h"

namespace skua::calibration {

/// Of the arrays of one sample, and of the file that they lie in.
inline constexpr std::uint64_t kMaxSampleBytes = std::uint64_t{2} << 30U;

/// One array for each of `inputs`, in their order, and nothing else; each is what check_input takes, finite,
/// and in C order whatever order it has in the file. `where` names the file in messages.
///
/// EngineBuildError, data_set_malformed: no ZIP archive, one whose directory and entries do not agree, or has
/// more than 1000 of them, 1 MiB or ZIP64's end record, or one with anything in front or behind;
/// another number of arrays, one twice, an unknown one; members that are encrypted or neither stored nor
/// deflated; another check sum, fewer or more bytes than the archive says; a header that is not NumPy's 1.0
/// or 2.0, Python objects, a foreign byte order; more than `kMaxSampleBytes`. OutOfMemoryError.
/// Cost: the arrays, twice for those in Fortran order; nothing of an array is allocated before its header was
/// judged. Thread-safe.
Result<TensorMap> decode_npz(std::span<const std::byte> bytes, std::span<const TensorSpec> inputs,
                             const std::string& where);

/// The same arrays as an archive that decode_npz and numpy.load read: members stored, in the map's order; the
/// same arrays give the same bytes. Requires host tensors of static shapes. OutOfMemoryError,
/// EngineBuildError (io_error: what the library found). Cost: three copies of the arrays in memory.
/// Thread-safe.
Result<std::string> encode_npz(const TensorMap& arrays);

}  // namespace skua::calibration
