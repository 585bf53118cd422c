#include "cache/release_ratchet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "cache/publish.h"
#include "cache/safe_file.h"
#include "core/hash.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine = "skua.release-ratchet 1\n";
constexpr std::size_t kDigestLine = 65;  // 64 digits and the line end
constexpr std::size_t kMostDigits = 20;  // of 64 bits
constexpr std::size_t kMinBytes = kFirstLine.size() + 2 + kDigestLine;
constexpr std::size_t kMaxBytes = kFirstLine.size() + kMostDigits + 1 + kDigestLine;

Error ratchet_error(const Error& cause, const fs::path& where) {
  return make_error(refusal_class(cause, ErrorCode::kManifest), cause.reason,
                    "cannot read the release ratchet " + where.string() + ": " + cause.message +
                        "; what was accepted is not known, and nothing older may fly: repair this",
                    cause.native_code);
}

Error not_written(const Error& cause, const fs::path& state_dir) {
  return make_error(refusal_class(cause, ErrorCode::kManifest), Reason::kRatchetNotWritten,
                    "state_dir " + state_dir.string() + ": cannot keep the accepted release sequence: " +
                        cause.message + "; free space there or make it writable, then start again",
                    cause.native_code);
}

enum class CopyState : std::uint8_t { kMissing, kGood, kBad };

struct Copy {
  CopyState state = CopyState::kMissing;
  std::uint64_t sequence = 0;  ///< of a good one
};

using Copies = std::array<Copy, 2>;

/// An error is one of the disk or of the file's safety; damaged text is kBad.
Result<Copy> read_copy(Folder& folder, std::string_view name) {
  Copy copy;
  const auto file = open_safe(folder, name, Reason::kNotFound);
  if (!file.ok() && file.error().reason == Reason::kNotFound) return copy;
  if (!file.ok()) return ratchet_error(file.error(), folder.path() / name);
  const auto text = read_at_most(**file, kMaxBytes + 1, file_text(folder, name));
  if (!text.ok()) return ratchet_error(text.error(), folder.path() / name);
  const std::optional<std::uint64_t> sequence = decode_ratchet(*text);
  copy.state = sequence ? CopyState::kGood : CopyState::kBad;
  copy.sequence = sequence.value_or(0);
  return copy;
}

Result<Copies> read_copies(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const Copy a, read_copy(folder, kRatchetFileA));
  SKUA_ASSIGN_OR_RETURN(const Copy b, read_copy(folder, kRatchetFileB));
  return Copies{a, b};
}

/// `folder` is for the message.
Result<RatchetState> state_of(const Copies& copies, const fs::path& folder) {
  const auto is_missing = [](const Copy& copy) { return copy.state == CopyState::kMissing; };
  const auto is_good = [](const Copy& copy) { return copy.state == CopyState::kGood; };
  RatchetState state;
  if (std::all_of(copies.begin(), copies.end(), is_missing)) return state;
  if (std::none_of(copies.begin(), copies.end(), is_good)) {
    return make_error(
        ErrorCode::kManifest, Reason::kRatchetDamaged,
        "expected at least one good copy of the accepted release sequence in " + folder.string() +
            ", found none; check the storage, then, on the ground, run 'skua ratchet " +
            folder.parent_path().string() + " --reset N' with the last sequence that you know was accepted");
  }
  state.accepted = std::max(copies[0].sequence, copies[1].sequence);
  state.is_one_copy_bad = !std::all_of(copies.begin(), copies.end(), is_good);
  return state;
}

/// Whoever may write to state_dir may take the ratchet's folder away, and with it what was accepted.
Result<std::unique_ptr<Folder>> open_state(FileSystem& files, const fs::path& state_dir) {
  auto state = files.open_folder(state_dir);
  if (!state.ok()) return ratchet_error(state.error(), state_dir);
  if (const Status safe = check_safe_folder(**state); !safe.ok()) {
    return ratchet_error(safe.error(), state_dir);
  }
  return state;
}

/// Its lock, on a folder that is there after this, durably, and safe.
Result<WriterLock> lock_folder(FileSystem& files, const fs::path& state_dir) {
  SKUA_ASSIGN_OR_RETURN(const auto state, open_state(files, state_dir));
  const Status made = state->make_folder(kRatchetFolder);
  if (!made.ok() && made.error().reason != Reason::kExists) return made.error();
  // Each time: it may be there since a start that was cut off before this, and copies in a folder that is
  // lost would be lost.
  SKUA_RETURN_IF_ERROR(state->sync());
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, state_dir / kRatchetFolder));
  SKUA_RETURN_IF_ERROR(check_safe_folder(lock.folder()));
  return lock;
}

Status write_copy(Folder& folder, std::string_view name, std::uint64_t sequence) {
  const std::string text = encode_ratchet(sequence);
  return publish_file(folder, name, std::as_bytes(std::span(text)));
}

bool says(const Copy& copy, std::uint64_t sequence) {
  return copy.state == CopyState::kGood && copy.sequence == sequence;
}

/// The copy that counts comes last: until the other one is durable, it is what was accepted.
Status write_both(Folder& folder, const Copies& copies, std::uint64_t sequence) {
  const auto& [a, b] = copies;
  const bool is_a_first =
      b.state == CopyState::kGood && (a.state != CopyState::kGood || a.sequence < b.sequence);
  SKUA_RETURN_IF_ERROR(write_copy(folder, is_a_first ? kRatchetFileA : kRatchetFileB, sequence));
  return write_copy(folder, is_a_first ? kRatchetFileB : kRatchetFileA, sequence);
}

}  // namespace

std::string encode_ratchet(std::uint64_t sequence) {
  const std::string lines = std::string(kFirstLine) + std::to_string(sequence) + "\n";
  return lines + sha256_of(std::as_bytes(std::span(lines))).hex() + "\n";
}

std::optional<std::uint64_t> decode_ratchet(std::string_view text) {
  if (text.size() < kMinBytes || text.size() > kMaxBytes) return std::nullopt;
  const char* const begin = text.data() + kFirstLine.size();
  const char* const end = text.data() + text.size() - kDigestLine;
  std::uint64_t sequence = 0;
  if (std::from_chars(begin, end, sequence).ec != std::errc()) return std::nullopt;
  // One text stands for a number: this judges the first line, the digits, the digest and every line end.
  return encode_ratchet(sequence) == text ? std::optional(sequence) : std::nullopt;
}

Result<RatchetState> read_ratchet(FileSystem& files, const fs::path& state_dir) {
  const fs::path where = state_dir / kRatchetFolder;
  SKUA_ASSIGN_OR_RETURN(const auto state, open_state(files, state_dir));
  const auto folder = state->open_folder(kRatchetFolder);
  if (!folder.ok() && folder.error().reason == Reason::kNotFound) return RatchetState();
  if (!folder.ok()) return ratchet_error(folder.error(), where);
  if (const Status safe = check_safe_folder(**folder); !safe.ok()) return ratchet_error(safe.error(), where);
  SKUA_ASSIGN_OR_RETURN(const Copies copies, read_copies(**folder));
  return state_of(copies, where);
}

Status accept_sequence(FileSystem& files, const fs::path& state_dir, std::uint64_t sequence) {
  auto lock = lock_folder(files, state_dir);
  if (!lock.ok()) return not_written(lock.error(), state_dir);
  const auto copies = read_copies(lock->folder());
  if (!copies.ok()) return not_written(copies.error(), state_dir);
  SKUA_ASSIGN_OR_RETURN(const RatchetState state, state_of(*copies, lock->folder().path()));
  const std::uint64_t highest = std::max(sequence, state.accepted.value_or(0));
  // Both are written unless both say it: what a failed sync left may not be on the disk, however it reads.
  if (says((*copies)[0], highest) && says((*copies)[1], highest)) return {};
  const Status written = write_both(lock->folder(), *copies, highest);
  if (!written.ok()) return not_written(written.error(), state_dir);
  return {};
}

Status reset_ratchet(FileSystem& files, const fs::path& state_dir, std::uint64_t sequence) {
  const auto reset = [&]() -> Status {
    SKUA_ASSIGN_OR_RETURN(WriterLock lock, lock_folder(files, state_dir));
    const auto copies = read_copies(lock.folder());
    return write_both(lock.folder(), copies.ok() ? *copies : Copies(), sequence);
  };
  const Status done = reset();
  if (done.ok()) return {};
  return make_error(refusal_class(done.error(), ErrorCode::kInvalidArgument), done.error().reason,
                    "cannot reset the release ratchet in " + state_dir.string() + ": " + done.error().message,
                    done.error().native_code);
}

void bound_sequence(GatePolicy& policy, const RatchetState& ratchet, std::uint64_t step) {
  if (!ratchet.accepted) return;
  const std::uint64_t accepted = *ratchet.accepted;
  const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - accepted;
  policy.minimum_release_sequence = std::max(policy.minimum_release_sequence.value_or(0), accepted);
  policy.maximum_release_sequence = accepted + std::min(step, room);
}

}  // namespace skua
