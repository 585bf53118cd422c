#include "calibration/npy.h"

#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "cache/publish.h"
#include "core/filesystem.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeaderBytes = 10'000;
static_assert(kNpyHeaderLimitBytes == 12 + kMaxHeaderBytes);
constexpr std::size_t kAlignment = 64;

struct NpyType {
  std::string_view descr;
  DType dtype;
};
constexpr std::array kTypes{
    NpyType{"<f4", DType::kFloat32}, NpyType{"<f2", DType::kFloat16}, NpyType{"<f8", DType::kFloat64},
    NpyType{"|i1", DType::kInt8},    NpyType{"|u1", DType::kUInt8},   NpyType{"<i2", DType::kInt16},
    NpyType{"<u2", DType::kUInt16},  NpyType{"<i4", DType::kInt32},   NpyType{"<u4", DType::kUInt32},
    NpyType{"<i8", DType::kInt64},   NpyType{"<u8", DType::kUInt64},  NpyType{"|b1", DType::kBool},
};

Error malformed(const std::string& where, const std::string& what, Reason reason = Reason::kMalformed) {
  return make_error(ErrorCode::kInvalidArgument, reason, where + ": " + what);
}

/// Reads the header's Python dictionary, as numpy.save writes it: {'descr': '<f4', 'fortran_order': False,
/// 'shape': (1, 3), }. A small cursor; the first thing that is not as expected ends it.
class HeaderCursor {
 public:
  explicit HeaderCursor(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_spaces();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (!text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }
  std::optional<std::string_view> quoted_text() {
    skip_spaces();
    if (position_ >= text_.size() || (text_[position_] != '\'' && text_[position_] != '"'))
      return std::nullopt;
    const std::size_t end = text_.find(text_[position_], position_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view result = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return result;
  }
  std::optional<std::int64_t> integer() {
    skip_spaces();
    const std::size_t end = std::min(text_.find_first_not_of("0123456789", position_), text_.size());
    const auto value = parse_int64(text_.substr(position_, end - position_));
    position_ = end;
    return value;
  }
  bool is_at_end() {
    skip_spaces();
    return position_ == text_.size();
  }

 private:
  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  std::string_view text_;
  std::size_t position_ = 0;
};

/// What the dictionary says, before any of it is judged.
struct Dictionary {
  std::string descr;
  std::optional<bool> is_fortran;
  std::optional<std::vector<std::int64_t>> dims;
};

std::optional<std::vector<std::int64_t>> parse_dims(HeaderCursor& cursor) {
  std::vector<std::int64_t> dims;
  if (!cursor.take('(')) return std::nullopt;
  while (!cursor.take(')')) {
    const auto dim = cursor.integer();
    if (!dim || dims.size() > Shape::kMaxRank) return std::nullopt;
    dims.push_back(*dim);
    if (!cursor.take(',')) return cursor.take(')') ? std::optional(dims) : std::nullopt;
  }
  return dims;
}

bool parse_entry(HeaderCursor& cursor, Dictionary& header) {
  const auto key = cursor.quoted_text();
  if (!key || !cursor.take(':')) return false;
  if (*key == "descr" && header.descr.empty()) {
    const auto text = cursor.quoted_text();
    header.descr = text ? *text : "";
    return !header.descr.empty();
  }
  if (*key == "fortran_order" && !header.is_fortran) {
    if (cursor.take_word("False")) header.is_fortran = false;
    if (cursor.take_word("True")) header.is_fortran = true;
    return header.is_fortran.has_value();
  }
  if (*key == "shape" && !header.dims) {
    header.dims = parse_dims(cursor);
    return header.dims.has_value();
  }
  return false;
}

std::optional<Dictionary> parse_dictionary(std::string_view text) {
  HeaderCursor cursor(text);
  Dictionary header;
  if (!cursor.take('{')) return std::nullopt;
  while (!cursor.take('}')) {
    if (!parse_entry(cursor, header)) return std::nullopt;
    if (!cursor.take(',')) {
      if (!cursor.take('}')) return std::nullopt;
      break;
    }
  }
  const bool is_complete = !header.descr.empty() && header.is_fortran && header.dims && cursor.is_at_end();
  return is_complete ? std::optional(header) : std::nullopt;
}

std::size_t little_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = (value << 8U) | std::to_integer<std::size_t>(bytes[i - 1]);
  return value;
}

/// The header's text; sets `data_offset`.
Result<std::string_view> header_text(std::span<const std::byte> bytes, const std::string& where,
                                     std::size_t& data_offset) {
  constexpr std::size_t kVersionAt = 6, kLengthAt = 8;
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return malformed(where, "not a .npy file");
  }
  const auto major = std::to_integer<int>(bytes[kVersionAt]);
  if ((major != 1 && major != 2) || bytes[kVersionAt + 1] != std::byte{0}) {
    return malformed(where, ".npy version " + std::to_string(major) + "." +
                                std::to_string(std::to_integer<int>(bytes[kVersionAt + 1])) +
                                ", expected 1.0 or 2.0");
  }
  const std::size_t length_size = major == 1 ? 2 : 4;
  const std::size_t start = kLengthAt + length_size;
  if (bytes.size() < start) return malformed(where, "ends inside the header");
  const std::size_t length = little_endian(bytes.subspan(kLengthAt, length_size));
  if (length > kMaxHeaderBytes || length > bytes.size() - start) {
    return malformed(where, "the header claims " + std::to_string(length) + " bytes");
  }
  data_offset = start + length;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + start, length);
}

Result<DType> dtype_of(const Dictionary& header, const std::string& where) {
  std::string known;
  for (const NpyType& type : kTypes) {
    if (type.descr == header.descr) return type.dtype;
    known += (known.empty() ? "" : " ") + std::string(type.descr);
  }
  return malformed(where, "element type " + quote(header.descr) + ", expected one of: " + known,
                   Reason::kDtypeMismatch);
}

/// Its errors do not say what to do.
Result<Tensor> decode_whole(std::span<const std::byte> bytes, const std::string& where) {
  SKUA_ASSIGN_OR_RETURN(const NpyHeader header, decode_npy_header(bytes, where));
  if (header.is_fortran) return malformed(where, "Fortran order, expected C order");
  SKUA_ASSIGN_OR_RETURN(const std::size_t expected, header.shape.byte_size(header.dtype));
  if (expected != bytes.size() - header.data_offset) {
    return malformed(where, "shape " + header.shape.to_string() + " needs " + std::to_string(expected) +
                                " bytes, the file has " + std::to_string(bytes.size() - header.data_offset));
  }
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(header.dtype, header.shape));
  if (expected > 0) std::memcpy(tensor.view().data, bytes.data() + header.data_offset, expected);
  return tensor;
}

}  // namespace

Result<NpyHeader> decode_npy_header(std::span<const std::byte> bytes, const std::string& where) {
  NpyHeader header;
  SKUA_ASSIGN_OR_RETURN(const std::string_view text, header_text(bytes, where, header.data_offset));
  const auto dictionary = parse_dictionary(text);
  if (!dictionary)
    return malformed(where, "the header is not numpy's dictionary of descr, fortran_order and shape");
  SKUA_ASSIGN_OR_RETURN(header.dtype, dtype_of(*dictionary, where));
  header.is_fortran = *dictionary->is_fortran;
  const auto shape = Shape::from(*dictionary->dims);
  const auto size = shape.ok() ? shape->byte_size(header.dtype) : Result<std::size_t>(shape.error());
  if (!size.ok()) return malformed(where, "the shape is not allowed: " + size.error().message);
  header.shape = *shape;
  return header;
}

Result<Tensor> decode_npy(std::span<const std::byte> bytes, const std::string& where) {
  auto tensor = decode_whole(bytes, where);
  if (tensor.ok() || tensor.error().code != ErrorCode::kInvalidArgument) return tensor;
  Error error = std::move(tensor).error();
  error.message += "; write it with numpy.save(numpy.ascontiguousarray(x))";
  return error;
}

std::string encode_npy_header(const TensorView& view) {
  std::string dict = "{'descr': '";
  for (const NpyType& type : kTypes) {
    if (type.dtype == view.dtype) dict += type.descr;
  }
  dict += "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t dim : view.shape.dims()) dict += std::to_string(dim) + ",";
  dict += "), }";
  constexpr std::size_t kPrefix = 10;
  const std::size_t unpadded = kPrefix + dict.size() + 1;
  dict.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  dict += '\n';
  std::string result(kMagic);
  result += '\x01';
  result += '\0';
  result += static_cast<char>(dict.size() & 0xFFU);
  result += static_cast<char>(dict.size() >> 8U);
  return result + dict;
}

Result<Tensor> read_npy(const std::filesystem::path& file) {
  const auto parent = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  auto folder = posix_file_system().open_folder(parent);
  auto text = folder.ok() ? read_text(**folder, file.filename().string(), kNpyLimitBytes)
                          : Result<std::string>(std::move(folder).error());
  if (!text.ok()) {
    return make_error(ErrorCode::kInvalidArgument, text.error().reason,
                      "cannot read " + file.string() + ": " + text.error().message, text.error().native_code);
  }
  return decode_npy(std::as_bytes(std::span(*text)), file.string());
}

Status write_npy(const std::filesystem::path& file, const TensorView& view) {
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(file.parent_path()));
  std::string bytes = encode_npy_header(view);
  if (view.size_bytes() > 0) bytes.append(static_cast<const char*>(view.data), view.size_bytes());
  return publish_file(*folder, file.filename().string(), std::as_bytes(std::span(bytes)));
}

}  // namespace skua
