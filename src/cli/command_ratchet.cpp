#include <memory>
#include <string>

#include "cache/publish.h"
#include "cache/release_ratchet.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostSequence = std::uint64_t{1} << 53U;  // what a manifest can hold

struct RatchetArguments {
  std::string state_dir;
  std::optional<std::string> reset;
};

/// state_dir's lock, which a flight holds for its whole life; and no flight is to be taken up again: it would
/// be loaded under another rule than it took off with.
Result<WriterLock> lock_for_reset(FileSystem& files, const fs::path& state_dir) {
  auto lock = WriterLock::take(files, state_dir);
  if (!lock.ok()) {
    return invalid_argument(lock.error().reason, lock.error().message +
                                                     "; the ratchet is reset on the ground, while no "
                                                     "skua-flight runs");
  }
  const auto record = lock->folder().info(kFlightStateFile);
  if (!record.ok() && record.error().reason == Reason::kNotFound) return lock;
  if (!record.ok()) return invalid_argument(record.error().reason, record.error().message);
  return invalid_argument(Reason::kFolderBusy,
                          (state_dir / kFlightStateFile).string() +
                              ": a flight never ended in order, and its set may have to be loaded again in "
                              "the air; nothing was changed. If that flight is over, remove this file, then "
                              "run the command again");
}

/// What is there now; damage is no obstacle to what repairs it.
std::string before_text(const Result<RatchetState>& before) {
  if (!before.ok()) return "could not be read [" + std::string(to_string(before.error().reason)) + "]";
  return before->accepted ? "was " + std::to_string(*before->accepted) : "was none";
}

Json sequence_json(const std::optional<std::uint64_t>& sequence) {
  return sequence ? Json(*sequence) : Json(nullptr);
}

Status reset(const fs::path& state_dir, std::uint64_t sequence, Console& console) {
  FileSystem& files = posix_file_system();
  SKUA_ASSIGN_OR_RETURN(const WriterLock lock, lock_for_reset(files, state_dir));
  const auto before = read_ratchet(files, state_dir);
  SKUA_RETURN_IF_ERROR(reset_ratchet(files, state_dir, sequence));
  console.report()["was_accepted"] = sequence_json(before.ok() ? before->accepted : std::nullopt);
  console.report()["was_readable"] = before.ok();
  console.report()["accepted"] = sequence;
  console.report()["is_one_copy_bad"] = false;
  console.line("accepted release sequence: " + std::to_string(sequence) + " (" + before_text(before) + ")");
  return {};
}

Status show(const fs::path& state_dir, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const RatchetState state, read_ratchet(posix_file_system(), state_dir));
  console.report()["accepted"] = sequence_json(state.accepted);
  console.report()["is_one_copy_bad"] = state.is_one_copy_bad;
  console.line("accepted release sequence: " +
               (state.accepted ? std::to_string(*state.accepted) : "none; the first set may have any"));
  if (state.is_one_copy_bad) {
    console.warn((state_dir / kRatchetFolder).string() +
                 ": one copy is damaged or missing and the other one counts; the next take-off writes both");
  }
  return {};
}

Status ratchet(const RatchetArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const fs::path state_dir, absolute_path(arguments.state_dir));
  session.console.report()["state_dir"] = state_dir.string();
  if (!arguments.reset) return show(state_dir, session.console);
  const auto sequence = parse_uint64(*arguments.reset);
  if (sequence && *sequence <= kMostSequence) return reset(state_dir, *sequence, session.console);
  return invalid_argument(Reason::kInvalidArgument,
                          "--reset is " + quote(*arguments.reset) +
                              "; expected a release sequence, a whole number from 0 to " +
                              std::to_string(kMostSequence));
}

}  // namespace

void add_ratchet(CLI::App& app, Action& action) {
  auto a = std::make_shared<RatchetArguments>();
  CLI::App* command = app.add_subcommand(
      "ratchet", "show or, on the ground, reset the release sequence that an aircraft has accepted");
  command->add_option("STATE_DIR", a->state_dir, "state_dir of the aircraft")->required();
  command->add_option("--reset", a->reset, "accept sets from this release sequence on, lower or not");
  command->callback([a, &action] { action = [a](Session& session) { return ratchet(*a, session); }; });
}

}  // namespace skua
