#include "compile/onnx_fold.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "core/text.h"
#include "onnx/protobuf_wire.h"

namespace skua::compile {
namespace {

using Bytes = std::span<const std::byte>;
using Buffer = std::vector<std::byte>;

constexpr int kMaxDepth = 32;

void put_varint(Buffer& into, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) into.push_back(static_cast<std::byte>(value | 0x80U));
  into.push_back(static_cast<std::byte>(value));
}

void put_fixed(Buffer& into, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) into.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void put_bytes(Buffer& into, std::uint32_t number, Bytes bytes) {
  put_varint(into, std::uint64_t{number} << 3U | static_cast<std::uint64_t>(WireType::kBytes));
  put_varint(into, bytes.size());
  into.insert(into.end(), bytes.begin(), bytes.end());
}

void put_field(Buffer& into, const WireField& field) {
  if (field.type == WireType::kBytes) return put_bytes(into, field.number, field.bytes);
  put_varint(into, std::uint64_t{field.number} << 3U | static_cast<std::uint64_t>(field.type));
  if (field.type == WireType::kVarint) return put_varint(into, field.scalar);
  put_fixed(into, field.scalar, field.type == WireType::kFixed32 ? 4 : 8);
}

/// What the fields of a message hold that may have weights inside. Numbers are those of onnx.proto.
enum class Kind { kModel, kFunction, kGraph, kNode, kAttribute, kSparseTensor, kTensor };

struct Inner {
  Kind outer;
  std::uint32_t number;
  Kind inner;
};
constexpr std::array kInner = {
    Inner{Kind::kModel, 7, Kind::kGraph},
    Inner{Kind::kModel, 25, Kind::kFunction},
    Inner{Kind::kFunction, 7, Kind::kNode},
    Inner{Kind::kGraph, 1, Kind::kNode},
    Inner{Kind::kGraph, 5, Kind::kTensor},
    Inner{Kind::kGraph, 15, Kind::kSparseTensor},
    Inner{Kind::kNode, 5, Kind::kAttribute},
    Inner{Kind::kAttribute, 5, Kind::kTensor},
    Inner{Kind::kAttribute, 6, Kind::kGraph},
    Inner{Kind::kAttribute, 10, Kind::kTensor},
    Inner{Kind::kAttribute, 11, Kind::kGraph},
    Inner{Kind::kAttribute, 22, Kind::kSparseTensor},
    Inner{Kind::kAttribute, 23, Kind::kSparseTensor},
    Inner{Kind::kSparseTensor, 1, Kind::kTensor},
    Inner{Kind::kSparseTensor, 2, Kind::kTensor},
};

Error malformed() {
  return build_error(Reason::kModelMalformed,
                     "the model's external weights cannot be put inside it: expected "
                     "a well-formed file; export the network again");
}

/// Copies a message, and what is external in it as raw data.
class Folder {
 public:
  explicit Folder(const std::vector<ExternalFile>& external) : external_(external) {}

  Status fold(Kind kind, Bytes message, Buffer& into, int depth) const {
    if (depth > kMaxDepth) return malformed();
    if (kind == Kind::kTensor) return fold_tensor(message, into);
    WireReader reader(message);
    while (const auto field = reader.next()) {
      const auto* const inner = std::find_if(kInner.begin(), kInner.end(), [&](const Inner& each) {
        return each.outer == kind && each.number == field->number;
      });
      if (inner == kInner.end() || field->type != WireType::kBytes) {
        put_field(into, *field);
        continue;
      }
      Buffer body;
      SKUA_RETURN_IF_ERROR(fold(inner->inner, field->bytes, body, depth + 1));
      put_bytes(into, field->number, body);
    }
    return reader.is_malformed() ? Status(malformed()) : Status();
  }

 private:
  static constexpr std::uint32_t kRawData = 9, kExternalData = 13, kDataLocation = 14;

  Status fold_tensor(Bytes message, Buffer& into) const {
    std::map<std::string, std::string> place;
    bool is_external = false;
    WireReader reader(message);
    while (const auto field = reader.next()) {
      if (field->number == kDataLocation) {
        is_external = field->scalar != 0;
      } else if (field->number == kExternalData) {
        SKUA_RETURN_IF_ERROR(read_pair(field->bytes, place));
      } else {
        put_field(into, *field);
      }
    }
    if (reader.is_malformed()) return malformed();
    if (!is_external) return {};
    SKUA_ASSIGN_OR_RETURN(const Bytes weights, find(place));
    put_bytes(into, kRawData, weights);
    return {};
  }

  static Status read_pair(Bytes message, std::map<std::string, std::string>& into) {
    WireReader reader(message);
    std::string key, value;
    while (const auto field = reader.next()) {
      if (field->number == 1) key = field->text();
      if (field->number == 2) value = field->text();
    }
    if (reader.is_malformed()) return malformed();
    into[key] = value;
    return {};
  }

  Result<Bytes> find(const std::map<std::string, std::string>& place) const {
    const auto location = place.find("location");
    const auto file = std::find_if(external_.begin(), external_.end(), [&](const ExternalFile& each) {
      return location != place.end() && each.location == location->second;
    });
    if (file == external_.end()) return malformed();
    const Bytes whole = file->bytes;
    const auto offset = place.find("offset"), length = place.find("length");
    const auto begin = offset == place.end() ? std::optional<std::uint64_t>(0) : parse_uint64(offset->second);
    if (!begin || *begin > whole.size()) return malformed();
    const Bytes rest = whole.subspan(static_cast<std::size_t>(*begin));
    const auto size =
        length == place.end() ? std::optional<std::uint64_t>(rest.size()) : parse_uint64(length->second);
    if (!size || *size > rest.size()) return malformed();
    return rest.first(static_cast<std::size_t>(*size));
  }

  const std::vector<ExternalFile>& external_;
};

}  // namespace

Result<std::vector<std::byte>> fold_external(std::span<const std::byte> bytes,
                                             const std::vector<ExternalFile>& external) {
  if (external.empty()) return std::vector<std::byte>(bytes.begin(), bytes.end());
  std::vector<std::byte> folded;
  SKUA_RETURN_IF_ERROR(Folder(external).fold(Kind::kModel, bytes, folded, 0));
  constexpr std::size_t kMaxBytes = std::numeric_limits<std::int32_t>::max();
  if (folded.size() <= kMaxBytes) return folded;
  return build_error(Reason::kModelTooLarge, "the model with its weights inside has " +
                                                 std::to_string(folded.size()) + " bytes; expected at most " +
                                                 std::to_string(kMaxBytes) +
                                                 ", which is what one ONNX file can hold");
}

}  // namespace skua::compile
