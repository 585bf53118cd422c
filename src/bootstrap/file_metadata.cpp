#include "bootstrap/file_metadata.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kMaxEntries = 256;
constexpr std::uint64_t kMaxEntryBytes = 64U << 10U;

/// Random access to a file of which only small pieces are wanted.
class Pieces {
 public:
  explicit Pieces(const std::filesystem::path& file) : stream_(file, std::ios::binary | std::ios::ate) {
    if (stream_) size_ = static_cast<std::uint64_t>(std::max<std::streamoff>(stream_.tellg(), 0));
  }
  bool is_open() const { return stream_.is_open() && static_cast<bool>(stream_); }
  std::uint64_t size() const { return size_; }

  /// Exactly `count` bytes at `offset`, or nothing.
  std::optional<std::string> at(std::uint64_t offset, std::uint64_t count) {
    if (offset > size_ || count > size_ - offset) return std::nullopt;
    std::string bytes(count, '\0');
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(bytes.data(), static_cast<std::streamsize>(count));
    if (!stream_) return std::nullopt;
    return bytes;
  }

 private:
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

Error malformed(const std::filesystem::path& file, const std::string& what) {
  return make_error(
      ErrorCode::kEngineBuild, Reason::kModelMalformed,
      file.string() + ": " + what + "; the file is damaged or of another kind: export it again");
}

Result<Pieces> open_pieces(const std::filesystem::path& file) {
  std::error_code error;
  Pieces pieces(file);
  if (std::filesystem::is_regular_file(file, error) && pieces.is_open()) return pieces;
  return make_error(ErrorCode::kEngineBuild, Reason::kModelMissing,
                    "cannot read the model " + file.string() + "; check the path and its permissions");
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = (value << 8U) | static_cast<std::uint8_t>(bytes[i - 1]);
  return value;
}

// ---- protobuf, as far as an ONNX ModelProto's top level needs it

struct Varint {
  std::uint64_t value = 0;
  std::uint64_t length = 0;
};

std::optional<Varint> varint_of(std::string_view bytes) {
  Varint result;
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 10); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    result.value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7 * i);
    if ((byte & 0x80U) == 0) {
      result.length = i + 1;
      return result;
    }
  }
  return std::nullopt;
}

std::optional<Varint> varint_at(Pieces& pieces, std::uint64_t offset) {
  const std::uint64_t left = pieces.size() - std::min(offset, pieces.size());
  const auto bytes = pieces.at(offset, std::min<std::uint64_t>(left, 10));
  return bytes ? varint_of(*bytes) : std::nullopt;
}

/// A field's tag, where its payload begins and how long that is.
struct Field {
  std::uint64_t number = 0, payload = 0, length = 0;
};

std::optional<Field> field_at(Pieces& pieces, std::uint64_t offset) {
  const auto tag = varint_at(pieces, offset);
  if (!tag || tag->value >> 3U == 0) return std::nullopt;
  Field field{tag->value >> 3U, offset + tag->length, 0};
  const std::uint64_t wire_type = tag->value & 7U;
  if (wire_type == 1 || wire_type == 5) {
    field.length = wire_type == 1 ? 8 : 4;
  } else if (wire_type == 0 || wire_type == 2) {
    const auto number = varint_at(pieces, field.payload);
    if (!number) return std::nullopt;
    field.length = wire_type == 0 ? number->length : number->value;
    if (wire_type == 2) field.payload += number->length;
  } else {
    return std::nullopt;
  }
  if (field.payload > pieces.size() || field.length > pieces.size() - field.payload) return std::nullopt;
  return field;
}

/// StringStringEntryProto: 1 key, 2 value.
std::optional<std::pair<std::string, std::string>> property_of(std::string_view bytes) {
  std::pair<std::string, std::string> result;
  while (!bytes.empty()) {
    const auto tag = varint_of(bytes);
    if (!tag || (tag->value & 7U) != 2) return std::nullopt;
    bytes.remove_prefix(tag->length);
    const auto length = varint_of(bytes);
    if (!length || length->value > bytes.size() - length->length) return std::nullopt;
    const std::string_view text = bytes.substr(length->length, length->value);
    if (tag->value >> 3U == 1) result.first = text;
    if (tag->value >> 3U == 2) result.second = text;
    bytes.remove_prefix(length->length + length->value);
  }
  return result;
}

// ---- zip, as far as TorchScript archives need it

struct Directory {
  std::uint64_t offset = 0, size = 0;
};

/// The central directory, from the record at the file's end (zip64 where the plain one cannot hold it).
std::optional<Directory> directory_of(Pieces& pieces) {
  constexpr std::uint64_t kEndSize = 22, kLocatorSize = 20, kLongestComment = 65535;
  const std::uint64_t tail_size = std::min(pieces.size(), kEndSize + kLongestComment);
  const auto tail = pieces.at(pieces.size() - tail_size, tail_size);
  const std::size_t end = tail ? tail->rfind("PK\x05\x06") : std::string::npos;
  if (end == std::string::npos || tail->size() - end < kEndSize) return std::nullopt;
  const std::string_view record = std::string_view(*tail).substr(end);
  Directory directory{little_endian(record.substr(16, 4)), little_endian(record.substr(12, 4))};
  if (directory.offset != 0xFFFFFFFF && directory.size != 0xFFFFFFFF) return directory;
  if (end < kLocatorSize) return std::nullopt;
  const auto end64 = pieces.at(little_endian(std::string_view(*tail).substr(end - kLocatorSize + 8, 8)), 56);
  if (!end64 || !end64->starts_with("PK\x06\x06")) return std::nullopt;
  return Directory{little_endian(std::string_view(*end64).substr(48, 8)),
                   little_endian(std::string_view(*end64).substr(40, 8))};
}

struct ZipEntry {
  std::string name;
  std::uint64_t method = 0, size = 0, header = 0;
};

/// Takes one entry off the front of the central directory.
std::optional<ZipEntry> next_entry(std::string_view& rest) {
  constexpr std::size_t kFixed = 46;
  if (rest.size() < kFixed || !rest.starts_with("PK\x01\x02")) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t count) {
    return little_endian(rest.substr(at, count));
  };
  const std::size_t name_size = number(28, 2);
  const std::size_t total = kFixed + name_size + number(30, 2) + number(32, 2);
  if (rest.size() < total) return std::nullopt;
  ZipEntry entry{std::string(rest.substr(kFixed, name_size)), number(10, 2), number(24, 4), number(42, 4)};
  rest.remove_prefix(total);
  return entry;
}

/// "<archive>/extra/<key>" -> "<key>"; empty for any other entry.
std::string extra_key(const std::string& name) {
  constexpr std::string_view kFolder = "/extra/";
  const std::size_t found = name.find(kFolder);
  return found == std::string::npos || name.find('/') != found ? "" : name.substr(found + kFolder.size());
}

/// A stored (not compressed) entry's bytes; the local header says where they begin.
std::optional<std::string> stored_bytes(Pieces& pieces, const ZipEntry& entry) {
  constexpr std::uint64_t kLocal = 30;
  const auto header = pieces.at(entry.header, kLocal);
  if (!header || !header->starts_with("PK\x03\x04")) return std::nullopt;
  const std::uint64_t name_size = little_endian(std::string_view(*header).substr(26, 2));
  const std::uint64_t extra_size = little_endian(std::string_view(*header).substr(28, 2));
  return pieces.at(entry.header + kLocal + name_size + extra_size, entry.size);
}

Status check_key(const ModelMetadata& onnx, const ModelMetadata& pt, const char* key,
                 const std::string& files) {
  const auto a = onnx.find(key);
  const auto b = pt.find(key);
  if (a == onnx.end() || b == pt.end() || a->second == b->second) return {};
  return make_error(ErrorCode::kEngineBuild, Reason::kModelIdMismatch,
                    files + " are not one network: " + key + " is " + quote(a->second) + " in the first, " +
                        quote(b->second) + " in the second; export both from the same weights");
}

}  // namespace

Result<ModelMetadata> read_onnx_metadata(const std::filesystem::path& file) {
  constexpr std::uint64_t kMetadataProps = 14;
  SKUA_ASSIGN_OR_RETURN(Pieces pieces, open_pieces(file));
  ModelMetadata result;
  for (std::uint64_t offset = 0; offset < pieces.size();) {
    const auto field = field_at(pieces, offset);
    if (!field) return malformed(file, "no ONNX field at byte " + std::to_string(offset));
    offset = field->payload + field->length;
    const bool is_wanted = field->number == kMetadataProps && field->length <= kMaxEntryBytes;
    if (!is_wanted || result.size() == kMaxEntries) continue;
    const auto bytes = pieces.at(field->payload, field->length);
    auto property = bytes ? property_of(*bytes) : std::nullopt;
    if (!property) return malformed(file, "damaged metadata before byte " + std::to_string(offset));
    result.insert(*std::move(property));
  }
  return result;
}

Result<ModelMetadata> read_torchscript_metadata(const std::filesystem::path& file) {
  constexpr std::uint64_t kMaxDirectoryBytes = 64U << 20U;
  SKUA_ASSIGN_OR_RETURN(Pieces pieces, open_pieces(file));
  const auto directory = directory_of(pieces);
  const auto bytes = directory && directory->size <= kMaxDirectoryBytes
                         ? pieces.at(directory->offset, directory->size)
                         : std::nullopt;
  if (!bytes) return malformed(file, "no TorchScript archive (zip directory not found)");
  ModelMetadata result;
  for (std::string_view rest = *bytes; !rest.empty();) {
    const auto entry = next_entry(rest);
    if (!entry) return malformed(file, "damaged zip directory");
    const std::string key = extra_key(entry->name);
    const bool is_wanted = !key.empty() && entry->method == 0 && entry->size <= kMaxEntryBytes;
    if (!is_wanted || result.size() == kMaxEntries) continue;
    auto value = stored_bytes(pieces, *entry);
    if (!value) return malformed(file, "the entry " + quote(entry->name) + " lies outside the file");
    result.emplace(key, *std::move(value));
  }
  return result;
}

Status check_same_model(const std::filesystem::path& onnx, const std::filesystem::path& pt) {
  SKUA_ASSIGN_OR_RETURN(const ModelMetadata first, read_onnx_metadata(onnx));
  SKUA_ASSIGN_OR_RETURN(const ModelMetadata second, read_torchscript_metadata(pt));
  const std::string files = onnx.string() + " and " + pt.string();
  SKUA_RETURN_IF_ERROR(check_key(first, second, kModelIdKey, files));
  return check_key(first, second, kWeightsKey, files);
}

}  // namespace skua
