// The flight recorder's segment file: header, frames, and recovery of whatever is whole in damaged bytes.
// docs/formats/flight-recorder.md specifies every byte. Stateless; nothing here touches a file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "events/flight_record_json.h"

namespace skua {

inline constexpr std::size_t kSegmentHeaderBytes = 52;
inline constexpr std::size_t kFrameHeadBytes = 12;
inline constexpr std::size_t kMaxFrameBytes = kFrameHeadBytes + kMaxRecordBytes;
inline constexpr std::uint32_t kMaxSegmentNumber = 99'999'999;
/// No segment is larger; a reader takes no larger file into memory.
inline constexpr std::size_t kMaxSegmentBytes = std::size_t{64} << 20U;

/// What a segment says of its start. The monotonic clock of two segments is comparable where their boot ids
/// are equal and not all zero.
struct SegmentHeader {
  std::uint32_t number = 0;
  std::int64_t utc_us = 0;
  std::int64_t monotonic_ns = 0;
  std::array<std::uint8_t, 16> boot_id{};  ///< Linux's random boot_id; zero: not known

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

/// "segment-00000042.skfr". Requires number <= kMaxSegmentNumber.
std::string segment_name(std::uint32_t number);
/// The number of exactly such a name.
std::optional<std::uint32_t> parse_segment_name(std::string_view name) noexcept;

/// CRC-32 of RFC 1952 (gzip, zlib, PNG): polynomial 0x04C11DB7 reflected. `before` continues an earlier one.
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) noexcept;

std::string encode_segment_header(const SegmentHeader& header);
/// Appends one frame. Requires 1 to kMaxRecordBytes bytes of UTF-8.
void append_frame(std::string& out, std::string_view payload);

enum class DamageKind : std::uint8_t {
  kHeader,          ///< the header cannot be read
  kVersion,         ///< a later version of the format: nothing in it was looked at
  kNoMarker,        ///< no frame begins where one should
  kLength,          ///< a frame's length is impossible
  kChecksum,        ///< a frame's bytes are not those that were written
  kIncompleteTail,  ///< the file ends within its header or a frame: a write that was cut, or goes on still
  kRecord           ///< a whole frame whose text is no flight record; recover() never says so
};
/// "header", "version", "no_marker", "length", "checksum", "incomplete_tail", "record".
std::string_view to_string(DamageKind kind) noexcept;

/// Bytes [from, to) of the file that gave no record.
struct DamagedRange {
  std::uint64_t from = 0, to = 0;
  DamageKind kind = DamageKind::kNoMarker;
  std::string reason;  ///< expected and found
};

struct RecoveredFrame {
  std::uint64_t offset = 0;  ///< of its marker
  std::string_view text;     ///< the payload, within the bytes given to recover()
};

struct Recovery {
  std::optional<SegmentHeader> header;  ///< nothing: the first of `damage` says why
  std::vector<RecoveredFrame> frames;   ///< every whole frame, by offset
  std::vector<DamagedRange> damage;     ///< all the rest, by offset
  bool is_recorder_file = false;        ///< it begins like a segment, or holds a whole frame
  std::uint64_t examined_bytes = 0;     ///< work done, for the test that it is linear
};

/// Finds every whole frame in the bytes of a segment, whatever they are. A frame is whole when marker, length
/// and checksum agree and no marker lies within its payload; after damage the next marker is looked for. The
/// header, the frames and the damaged ranges cover the bytes without gap or overlap. Cost: at most 8 looks at
/// a byte, whatever the bytes; memory for the frames and ranges. Requires that `bytes` outlives the result.
Recovery recover(std::span<const std::byte> bytes);

}  // namespace skua
