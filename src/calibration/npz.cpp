#include "calibration/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "calibration/npy.h"
#include "calibration/sample_check.h"
#include "calibration/zip_archive.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr std::size_t kShownNames = 16;
constexpr std::size_t kShownBytes = 400;
constexpr std::string_view kMemberMark = "PK\x03\x04", kEndMark = "PK\x05\x06", kLocatorMark = "PK\x06\x07";
constexpr std::size_t kEndBytes = 22, kLocatorBytes = 20;
constexpr std::size_t kEndSearchBytes = kEndBytes + kLocatorBytes + 65'536;  // as far as the library searches
constexpr std::uint64_t kMaxEntries = 1000, kMaxDirectoryBytes = std::uint64_t{1} << 20U;

struct CloseMember {
  void operator()(zip_file_t* member) const noexcept { zip_fclose(member); }
};
using Member = std::unique_ptr<zip_file_t, CloseMember>;

Error no_memory(const std::string& where) {
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                    "data set, " + where + ": unpacking needs more memory than there is");
}

Error of_library(zip_error_t& error, const std::string& where, const std::string& expected) {
  if (zip_error_code_zip(&error) == ZIP_ER_MEMORY) return no_memory(where);
  return malformed(where, expected, quote(zip_error_strerror(&error), kShownBytes));
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    value = (value << 8U) | std::to_integer<std::uint64_t>(*byte);
  return value;
}

/// APPNOTE 4.3.15 and 4.3.16: a locator of ZIP64 in front of an end record, which no archive of 2 GiB needs.
/// The library looks for one in front of everything that looks like an end record.
bool has_zip64_end(std::string_view text) {
  for (std::size_t at = text.find(kEndMark); at != std::string_view::npos; at = text.find(kEndMark, at + 1))
    if (at >= kLocatorBytes && text.substr(at - kLocatorBytes, kLocatorMark.size()) == kLocatorMark)
      return true;
  return false;
}

/// The frame of an archive as numpy.savez writes it, before the library allocates for its directory: a member
/// first, and a directory without a comment last.
Status judge_frame(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (bytes.size() < kEndBytes || text.substr(bytes.size() - kEndBytes, kEndMark.size()) != kEndMark) {
    return malformed(where, "a .npz file", "no directory of an archive at its end");
  }
  if (has_zip64_end(text.substr(bytes.size() - std::min(bytes.size(), kEndSearchBytes)))) {
    return malformed(where, "an archive of less than 4 GiB", "a directory in ZIP64");
  }
  const auto end = bytes.last(kEndBytes);
  const std::uint64_t entries = little_endian(end.subspan(10, 2)), size = little_endian(end.subspan(12, 4)),
                      offset = little_endian(end.subspan(16, 4)), comment = little_endian(end.last(2));
  if (entries > kMaxEntries || size > kMaxDirectoryBytes) {
    return malformed(where,
                     "a directory of at most " + std::to_string(kMaxEntries) + " arrays and " +
                         std::to_string(kMaxDirectoryBytes) + " bytes",
                     std::to_string(entries) + " and " + std::to_string(size));
  }
  const bool is_whole = comment == 0 && offset + size + kEndBytes == bytes.size() &&
                        (offset == 0 || text.starts_with(kMemberMark));
  return is_whole ? Status()
                  : malformed(where, "a .npz file", "an archive with something in front or behind");
}

/// Over `bytes`, which must outlive it.
Result<Archive> open_archive(std::span<const std::byte> bytes, const std::string& where) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive =
      source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (archive != nullptr) return Archive(archive);
  Error refusal = of_library(error, where, "a .npz file");
  zip_error_fini(&error);
  zip_source_free(source);  // takes a null pointer
  return refusal;
}

/// As numpy.load calls it.
std::string array_name(zip_t* archive, zip_uint64_t index) {
  const char* name = zip_get_name(archive, index, ZIP_FL_ENC_RAW);
  std::string text = name == nullptr ? "" : name;
  if (text.ends_with(kSuffix)) text.resize(text.size() - kSuffix.size());
  return text;
}

std::string input_names(std::span<const TensorSpec> inputs) {
  std::vector<std::string> names;
  for (const TensorSpec& input : inputs) names.push_back(printable(input.name, kShownBytes));
  return join(names);
}

/// Where the array of each input is. There is no other, and none is there twice.
Result<std::vector<zip_uint64_t>> find_arrays(zip_t* archive, std::span<const TensorSpec> inputs,
                                              const std::string& where) {
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive, 0));
  std::vector<std::string> names;
  for (zip_uint64_t i = 0; i < std::min<zip_uint64_t>(count, std::max(inputs.size(), kShownNames)); ++i)
    names.push_back(array_name(archive, i));
  std::vector<zip_uint64_t> found;
  for (const TensorSpec& input : inputs) {
    const auto at = std::find(names.begin(), names.end(), input.name);
    if (at != names.end()) found.push_back(static_cast<zip_uint64_t>(at - names.begin()));
  }
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size()) {
    return malformed(where, "every array once", "one twice");
  }
  if (count == inputs.size() && found.size() == inputs.size()) return found;
  return malformed(where, "one array an input (" + input_names(inputs) + ")",
                   printable(join(names), kShownBytes));
}

struct Stored {
  std::uint64_t index = 0, size = 0;
};

/// How much the archive says that there is, before anything is unpacked.
Result<std::vector<Stored>> judge_members(zip_t* archive, const std::vector<zip_uint64_t>& indices,
                                          const std::string& where) {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  std::vector<Stored> members;
  std::uint64_t left = kMaxSampleBytes;
  for (const zip_uint64_t index : indices) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    const bool is_told = zip_stat_index(archive, index, 0, &stat) == 0 && (stat.valid & kNeeded) == kNeeded;
    const bool is_plain = is_told && stat.encryption_method == ZIP_EM_NONE &&
                          (stat.comp_method == ZIP_CM_STORE || stat.comp_method == ZIP_CM_DEFLATE);
    if (!is_plain) return malformed(where, "members stored or deflated, as numpy writes them", "another way");
    if (stat.size > left) {
      return malformed(where, "at most " + std::to_string(kMaxSampleBytes) + " bytes of arrays", "more");
    }
    left -= stat.size;
    members.push_back({index, stat.size});
  }
  return members;
}

/// Unpacks one member. At its end the library compares the check sum and the size.
class MemberReader {
 public:
  static Result<MemberReader> open(zip_t* archive, zip_uint64_t index, const std::string& where) {
    zip_file_t* member = zip_fopen_index(archive, index, 0);
    return member != nullptr ? Result(MemberReader(member, where)) : damaged(*zip_get_error(archive), where);
  }
  /// Exactly so many bytes.
  Status fill(std::byte* into, std::uint64_t count) {
    while (count > 0) {
      const zip_int64_t got = zip_fread(member_.get(), into, count);
      if (got < 0) return damaged(*zip_file_get_error(member_.get()), where_);
      if (got == 0) return malformed(where_, "as many bytes as the archive says", "fewer");
      into += got;
      count -= static_cast<std::uint64_t>(got);
    }
    return {};
  }
  Status end() {
    std::byte more{};
    const zip_int64_t got = zip_fread(member_.get(), &more, 1);
    if (got < 0) return damaged(*zip_file_get_error(member_.get()), where_);
    return got == 0 ? Status() : malformed(where_, "as many bytes as the archive says", "more");
  }

 private:
  MemberReader(zip_file_t* member, const std::string& where) : member_(member), where_(where) {}
  static Error damaged(zip_error_t& error, const std::string& where) {
    return of_library(error, where, "undamaged values");
  }

  Member member_;
  std::string where_;
};

/// Gives columns-first values the order of rows.
void to_row_order(const TensorView& from, const TensorView& to) {
  const std::size_t size = dtype_size(from.dtype), rank = from.shape.rank();
  const auto* source = static_cast<const std::byte*>(from.data);
  auto* into = static_cast<std::byte*>(to.data);
  std::array<std::size_t, Shape::kMaxRank> step{}, at{}, dims{};
  for (std::size_t axis = 0, next = size; axis < rank; ++axis) {
    dims[axis] = static_cast<std::size_t>(from.shape[axis]);
    step[axis] = next;
    next *= dims[axis];
  }
  for (std::size_t done = 0, offset = 0; done < from.size_bytes(); done += size) {
    std::memcpy(into + done, source + offset, size);
    for (std::size_t axis = rank; axis > 0; --axis) {
      const std::size_t last = axis - 1;
      offset += step[last];
      if (++at[last] < dims[last]) break;
      offset -= step[last] * dims[last];
      at[last] = 0;
    }
  }
}

Result<Tensor> in_row_order(Tensor tensor) {
  SKUA_ASSIGN_OR_RETURN(Tensor result, Tensor::allocate(tensor.view().dtype, tensor.view().shape));
  to_row_order(tensor.view(), result.view());
  return result;
}

Result<Tensor> read_array(zip_t* archive, const Stored& stored, const TensorSpec& input,
                          const std::string& where) {
  const std::string file = quote(input.name + std::string(kSuffix), kShownBytes);
  SKUA_ASSIGN_OR_RETURN(MemberReader reader, MemberReader::open(archive, stored.index, where));
  std::vector<std::byte> head(std::min<std::uint64_t>(stored.size, kNpyHeaderLimitBytes));
  SKUA_RETURN_IF_ERROR(reader.fill(head.data(), head.size()));
  const auto header = decode_npy_header(head, file);
  if (!header.ok()) {
    Error refusal = malformed(where, header.error());
    refusal.message += "; write the sample with numpy.savez";
    return refusal;
  }
  SKUA_RETURN_IF_ERROR(check_input(input, header->dtype, header->shape, where));
  SKUA_ASSIGN_OR_RETURN(const std::size_t size, header->shape.byte_size(header->dtype));
  if (stored.size - header->data_offset != size) {
    return malformed(where, std::to_string(size) + " bytes of values in " + file,
                     std::to_string(stored.size - header->data_offset));
  }
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(header->dtype, header->shape));
  auto* into = static_cast<std::byte*>(tensor.view().data);
  const std::size_t begun = head.size() - header->data_offset;
  std::copy_n(head.data() + header->data_offset, begun, into);
  SKUA_RETURN_IF_ERROR(reader.fill(into + begun, size - begun));
  SKUA_RETURN_IF_ERROR(reader.end());
  SKUA_RETURN_IF_ERROR(check_finite(input.name, tensor.view(), where));
  return header->is_fortran ? in_row_order(std::move(tensor)) : Result<Tensor>(std::move(tensor));
}

}  // namespace

Result<TensorMap> decode_npz(std::span<const std::byte> bytes, std::span<const TensorSpec> inputs,
                             const std::string& where) {
  try {
    SKUA_RETURN_IF_ERROR(judge_frame(bytes, where));
    SKUA_ASSIGN_OR_RETURN(const Archive archive, open_archive(bytes, where));
    SKUA_ASSIGN_OR_RETURN(const auto indices, find_arrays(archive.get(), inputs, where));
    SKUA_ASSIGN_OR_RETURN(const auto members, judge_members(archive.get(), indices, where));
    TensorMap arrays;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      SKUA_ASSIGN_OR_RETURN(Tensor array, read_array(archive.get(), members[i], inputs[i], where));
      SKUA_RETURN_IF_ERROR(arrays.insert(inputs[i].name, std::move(array)));
    }
    return arrays;
  } catch (const std::bad_alloc&) {
    return no_memory(where);
  }
}

}  // namespace skua::calibration
