#include "events/recorder_format.h"

#include <algorithm>

#include "core/text.h"

namespace skua {
namespace {

// All but the last character name the format, the last its version.
constexpr std::string_view kMagic = "SKUAFDR1";
constexpr std::string_view kFormatName = kMagic.substr(0, 7);
// Four bytes that no UTF-8 text holds (Unicode 15.0, table 3-7), all different, so that no two overlap.
constexpr std::string_view kMarker = "\xF5\xC1\xFA\xFE";
constexpr std::size_t kHeaderCrcAt = 48;
constexpr std::string_view kNamePrefix = "segment-";
constexpr std::string_view kNameSuffix = ".skfr";
constexpr std::size_t kNameDigits = 8;

// Eight bytes a step: M. Kounavis, F. Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC
// Generation", IEEE Transactions on Computers 57(11), 2008. Table k is that of a byte with k zero bytes
// behind.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
    tables[0][i] = value;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[k - 1][i];
      tables[k][i] = (before >> 8U) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = make_crc_tables();

template <typename Integer>
void append_little(std::string& out, Integer value) {
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof value; ++i, rest >>= 8U) out += static_cast<char>(rest & 0xFFU);
}

template <typename Integer>
Integer load_little(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(Integer); i-- > 0;) {
    value = (value << 8U) | static_cast<std::uint8_t>(bytes[at + i]);
  }
  return static_cast<Integer>(value);
}

std::uint32_t frame_crc(std::string_view length, std::string_view payload) {
  return crc32(payload, crc32(length));
}

DamagedRange damage_of(DamageKind kind, std::string reason) { return {0, 0, kind, std::move(reason)}; }

/// One pass over the bytes of a segment.
class Scan {
 public:
  explicit Scan(std::string_view bytes) : bytes_(bytes) {}

  Recovery run() {
    const std::string_view start = bytes_.substr(0, kFormatName.size());
    found_.is_recorder_file = kFormatName.starts_with(start);
    if (auto problem = read_header()) {
      const bool is_foreign = problem->kind == DamageKind::kVersion;
      begin_damage(0, *std::move(problem));
      if (is_foreign) at_ = bytes_.size();
    }
    while (at_ < bytes_.size()) step();
    end_damage(bytes_.size());
    found_.is_recorder_file |= !found_.frames.empty();
    return std::move(found_);
  }

 private:
  std::optional<DamagedRange> read_header();
  std::optional<DamagedRange> read_frame();
  std::optional<DamagedRange> check_payload(std::string_view frame);
  void step();
  void begin_damage(std::uint64_t from, DamagedRange damage);
  void end_damage(std::uint64_t to);

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::optional<DamagedRange> open_damage_;
  Recovery found_;
};

/// Leaves `at_` behind a good header, and behind the first byte of a bad one.
std::optional<DamagedRange> Scan::read_header() {
  if (bytes_.size() < kSegmentHeaderBytes && found_.is_recorder_file) {
    at_ = bytes_.size();
    return damage_of(DamageKind::kIncompleteTail, "the header has " + std::to_string(bytes_.size()) + " of " +
                                                      std::to_string(kSegmentHeaderBytes) + " bytes");
  }
  at_ = std::min<std::size_t>(1, bytes_.size());
  if (!found_.is_recorder_file) {
    return damage_of(DamageKind::kHeader, "the file does not begin with " + quote(kMagic));
  }
  if (load_little<std::uint32_t>(bytes_, kHeaderCrcAt) != crc32(bytes_.substr(0, kHeaderCrcAt))) {
    return damage_of(DamageKind::kHeader, "the header's checksum is not that of its bytes");
  }
  if (bytes_[kFormatName.size()] != kMagic.back()) {
    return damage_of(DamageKind::kVersion, "the file has format " + quote(bytes_.substr(0, kMagic.size())) +
                                               "; this release reads " + quote(kMagic) +
                                               ": use a later release");
  }
  SegmentHeader header;
  header.number = load_little<std::uint32_t>(bytes_, 8);
  header.utc_us = load_little<std::int64_t>(bytes_, 16);
  header.monotonic_ns = load_little<std::int64_t>(bytes_, 24);
  std::copy_n(bytes_.begin() + 32, header.boot_id.size(), header.boot_id.begin());
  found_.header = header;
  at_ = kSegmentHeaderBytes;
  return std::nullopt;
}

/// Takes the frame at `at_`, or says why there is none and leaves `at_` where it is.
std::optional<DamagedRange> Scan::read_frame() {
  const std::string_view rest = bytes_.substr(at_);
  if (!kMarker.starts_with(rest.substr(0, kMarker.size()))) {
    return damage_of(DamageKind::kNoMarker, "no frame begins here");
  }
  if (rest.size() < kFrameHeadBytes) {
    return damage_of(
        DamageKind::kIncompleteTail,
        std::to_string(rest.size()) + " bytes of a frame's head of " + std::to_string(kFrameHeadBytes));
  }
  const auto length = load_little<std::uint32_t>(rest, 4);
  if (length == 0 || length > kMaxRecordBytes) {
    return damage_of(DamageKind::kLength, "a frame says that it has " + std::to_string(length) +
                                              " bytes; expected 1 to " + std::to_string(kMaxRecordBytes));
  }
  if (rest.size() < kFrameHeadBytes + length) {
    return damage_of(DamageKind::kIncompleteTail, std::to_string(rest.size()) + " bytes of a frame of " +
                                                      std::to_string(kFrameHeadBytes + length));
  }
  if (auto damage = check_payload(rest.substr(0, kFrameHeadBytes + length))) return damage;
  end_damage(at_);
  found_.frames.push_back({at_, rest.substr(kFrameHeadBytes, length)});
  at_ += kFrameHeadBytes + length;
  return std::nullopt;
}

/// Why a frame of the claimed length is not whole, if so.
std::optional<DamagedRange> Scan::check_payload(std::string_view frame) {
  const std::string_view payload = frame.substr(kFrameHeadBytes);
  // This bounds the work on hostile bytes: what lies between two markers is summed once, not once for every
  // marker in front of it that claims it.
  const std::size_t marker_at = payload.find(kMarker);
  found_.examined_bytes += std::min(marker_at, payload.size());
  if (marker_at != std::string_view::npos) {
    return damage_of(DamageKind::kLength, "a frame says that it reaches over the beginning of another one");
  }
  found_.examined_bytes += payload.size();
  if (load_little<std::uint32_t>(frame, 8) == frame_crc(frame.substr(4, 4), payload)) return std::nullopt;
  return damage_of(DamageKind::kChecksum, "a frame's checksum is not that of its bytes");
}

void Scan::step() {
  const std::size_t from = at_;
  auto damage = read_frame();
  if (!damage) return;
  begin_damage(from, *std::move(damage));
  const std::size_t next = bytes_.find(kMarker, from + 1);
  // The last bytes may be the beginning of a marker.
  const std::size_t tail = std::max(from + 1, bytes_.size() - std::min(bytes_.size(), kMarker.size() - 1));
  at_ = std::min(next, tail);
  found_.examined_bytes += at_ - from;
}

/// The first thing that is wrong names a range, whatever else is found in it.
void Scan::begin_damage(std::uint64_t from, DamagedRange damage) {
  if (open_damage_) return;
  open_damage_ = std::move(damage);
  open_damage_->from = from;
}

void Scan::end_damage(std::uint64_t to) {
  if (!open_damage_) return;
  open_damage_->to = to;
  // Something whole comes behind it: it was not the end of the file that cut it.
  if (to != bytes_.size() && open_damage_->kind == DamageKind::kIncompleteTail) {
    open_damage_->kind = DamageKind::kLength;
    open_damage_->reason = "a frame says that it reaches over the end of the file";
  }
  found_.damage.push_back(*std::move(open_damage_));
  open_damage_.reset();
}

}  // namespace

std::string segment_name(std::uint32_t number) {
  const std::string digits = std::to_string(number);
  const std::string zeros(kNameDigits - std::min(kNameDigits, digits.size()), '0');
  return std::string(kNamePrefix) + zeros + digits + std::string(kNameSuffix);
}

std::optional<std::uint32_t> parse_segment_name(std::string_view name) noexcept {
  const bool has_form = name.size() == kNamePrefix.size() + kNameDigits + kNameSuffix.size() &&
                        name.starts_with(kNamePrefix) && name.ends_with(kNameSuffix);
  if (!has_form) return std::nullopt;
  const std::string_view digits = name.substr(kNamePrefix.size(), kNameDigits);
  const auto number = digits.front() == '-' ? std::nullopt : parse_uint64(digits);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) noexcept {
  std::uint32_t value = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const auto eight = load_little<std::uint64_t>(bytes, 0) ^ value;
    value = 0;
    for (unsigned i = 0; i < 8; ++i) value ^= kCrcTables[7 - i][(eight >> (8 * i)) & 0xFFU];
  }
  for (const char c : bytes) {
    value = kCrcTables[0][(value ^ static_cast<std::uint8_t>(c)) & 0xFFU] ^ (value >> 8U);
  }
  return ~value;
}

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out(kMagic);
  append_little(out, header.number);
  append_little(out, std::uint32_t{0});
  append_little(out, header.utc_us);
  append_little(out, header.monotonic_ns);
  out.append(header.boot_id.begin(), header.boot_id.end());
  append_little(out, crc32(out));
  return out;
}

void append_frame(std::string& out, std::string_view payload) {
  std::string length;
  append_little(length, static_cast<std::uint32_t>(payload.size()));
  out += kMarker;
  out += length;
  append_little(out, frame_crc(length, payload));
  out += payload;
}

std::string_view to_string(DamageKind kind) noexcept {
  switch (kind) {
    case DamageKind::kHeader:
      return "header";
    case DamageKind::kVersion:
      return "version";
    case DamageKind::kNoMarker:
      return "no_marker";
    case DamageKind::kLength:
      return "length";
    case DamageKind::kChecksum:
      return "checksum";
    case DamageKind::kIncompleteTail:
      return "incomplete_tail";
    case DamageKind::kRecord:
      break;
  }
  return "record";
}

Recovery recover(std::span<const std::byte> bytes) {
  return Scan({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).run();
}

}  // namespace skua
