// The release-sequence ratchet: the highest sequence that this aircraft has accepted, so that an older set,
// however well signed, never flies again. docs/formats/release-ratchet.md specifies the files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/filesystem.h"
#include "skua/engine_set.h"
#include "skua/result.h"

namespace skua {

/// Below `state_dir`: a folder of its own, with a lock of its own, and the two copies in it.
inline constexpr std::string_view kRatchetFolder = "release";
inline constexpr std::string_view kRatchetFileA = "ratchet.a";
inline constexpr std::string_view kRatchetFileB = "ratchet.b";
/// Beside that folder: the record of the flight in progress (docs/formats/flight-state.md).
inline constexpr std::string_view kFlightStateFile = "in_flight.json";

/// The text of one copy.
std::string encode_ratchet(std::uint64_t sequence);
/// The sequence of one copy; nothing for any text that encode_ratchet would not have written, whatever its
/// length. Cheap: a text of another length is not hashed.
std::optional<std::uint64_t> decode_ratchet(std::string_view text);

/// What the copies say, taken together.
struct RatchetState {
  std::optional<std::uint64_t> accepted;  ///< nothing: no set was accepted here yet
  bool is_one_copy_bad = false;           ///< the other one counts; the caller logs this at WARN
};

/// Reads both copies, the safe way, and writes nothing. The higher of the good ones counts. Neither there:
/// nothing was accepted yet; one missing is one bad. ManifestError: ratchet_damaged when none is good and at
/// least one is there; the safe-file refusals, of `state_dir` and the folder too, and errors of the disk,
/// which are no reason to take a sequence for unknown: the copy that cannot be read may be the higher one.
Result<RatchetState> read_ratchet(FileSystem& files, const std::filesystem::path& state_dir);

/// Writes both copies, unless both say the higher of `sequence` and what is there; the copy that counts is
/// written last, when the other one is durable. Never lowers. Only for a set that has passed whole. Holds the
/// ratchet folder's lock. ManifestError: ratchet_not_written (what counts then is the old sequence or the new
/// one), ratchet_damaged.
Status accept_sequence(FileSystem& files, const std::filesystem::path& state_dir, std::uint64_t sequence);

/// Ground only: both copies say `sequence` from here on, lower or not, whatever they said. The caller holds
/// state_dir's lock, so that no flight runs. InvalidArgumentError with the cause's reason;
/// OutOfMemoryError.
Status reset_ratchet(FileSystem& files, const std::filesystem::path& state_dir, std::uint64_t sequence);

/// Puts the ratchet's bounds into a policy: not below what was accepted, and at most `step` above it. The
/// first set of an aircraft has no bound above.
void bound_sequence(GatePolicy& policy, const RatchetState& ratchet, std::uint64_t step);

}  // namespace skua
