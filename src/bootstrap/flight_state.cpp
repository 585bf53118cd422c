#include "bootstrap/flight_state.h"

#include <algorithm>
#include <ctime>
#include <fstream>

#include "cache/safe_file.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kMostBytes = 64U << 10U;
constexpr std::int64_t kSchemaVersion = 1;
constexpr std::int64_t kMostSeconds = std::int64_t{1} << 40U;

Error as_state_error(const Error& error, const std::filesystem::path& place, std::string_view remedy) {
  return make_error(refusal_class(error, ErrorCode::kInvalidArgument), error.reason,
                    "state_dir " + place.string() + ": " + error.message + "; " + std::string(remedy),
                    error.native_code);
}

}  // namespace

std::string_view to_string(FlightPhase phase) noexcept {
  return phase == FlightPhase::kTakeOff ? "F2" : "F8";
}

BootMoment boot_moment() {
  BootMoment moment;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::getline(file, moment.boot_id);
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  moment.seconds = now.tv_sec;
  return moment;
}

FlightState::FlightState(WriterLock lock, EventSink& events) : lock_(std::move(lock)), events_(&events) {}

Result<FlightState> FlightState::open(FileSystem& files, const std::filesystem::path& state_dir,
                                      EventSink& events, bool is_dry) {
  auto lock = WriterLock::take(files, state_dir);
  if (!lock.ok()) {
    return as_state_error(lock.error(), state_dir,
                          "one skua-flight at a time needs it, in a folder of the user that flies");
  }
  const Status safe = check_safe_folder(lock->folder());
  if (!safe.ok() && is_unsafe(safe.error())) return safe.error();
  if (!safe.ok()) return as_state_error(safe.error(), state_dir, "make it readable");
  FlightState state(*std::move(lock), events);
  SKUA_RETURN_IF_ERROR(state.read(is_dry));
  return state;
}

Result<std::string> FlightState::read_safely() {
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(lock_.folder(), kFlightStateFile, Reason::kNotFound));
  SKUA_ASSIGN_OR_RETURN(std::string text, read_at_most(*file, kMostBytes + 1, std::string(kFlightStateFile)));
  if (text.size() <= kMostBytes) return text;
  return make_error(ErrorCode::kIo, Reason::kTooLarge,
                    "expected at most " + std::to_string(kMostBytes) + " bytes, found more");
}

Status FlightState::read(bool is_dry) {
  const auto text = read_safely();
  if (!text.ok() && text.error().reason == Reason::kNotFound) return {};
  Result<Record> record = text.ok() ? decode(*text) : Result<Record>(text.error());
  if (record.ok()) {
    found_ = *std::move(record);
    return {};
  }
  // What others may have written says nothing of a flight in progress.
  const bool is_damage = text.ok() || text.error().reason == Reason::kTooLarge || is_unsafe(text.error());
  if (!is_damage) return as_state_error(text.error(), lock_.folder().path(), "make it readable");
  const std::string aside = std::string(kFlightStateFile) + ".rejected";
  if (is_dry) {
    warn("the record of the flight in progress is not well formed (" + record.error().message +
         "); the next start moves it aside and counts as a take-off");
    return {};
  }
  const Status moved = lock_.folder().rename(kFlightStateFile, aside);
  warn("the record of the flight in progress is not well formed (" + record.error().message + "); " +
       (moved.ok() ? "moved aside to " + aside : "it could not be moved aside: " + moved.error().message) +
       "; this start counts as a take-off");
  return {};
}

FlightPhase FlightState::phase_for(std::string_view set_id) const noexcept {
  return found_ && found_->set_id == set_id ? FlightPhase::kReboot : FlightPhase::kTakeOff;
}

FlightState::Record FlightState::next_record(std::string_view set_id, const BootMoment& now) const {
  Record next;
  if (phase_for(set_id) == FlightPhase::kReboot) next = *found_;
  if (next.boot_id != now.boot_id) next.recent.clear();
  next.set_id = std::string(set_id);
  next.boot_id = now.boot_id;
  ++next.start_count;
  next.recent.push_back(now.seconds);
  const auto is_old = [&](std::int64_t start) { return now.seconds - start >= kCrashLoopSeconds; };
  std::erase_if(next.recent, is_old);
  // A loop faster than the supervisor's limit must not grow the file.
  constexpr std::size_t kMostKept = 64;
  if (next.recent.size() > kMostKept) next.recent.erase(next.recent.begin());
  return next;
}

void FlightState::note_restart(const BootMoment& now) {
  if (!found_) return;
  found_ = next_record(found_->set_id, now);
  is_noted_ = true;
  count_restart(*found_);
}

/// Tells and writes one more start of the flight in progress.
void FlightState::count_restart(const Record& record) {
  tell_restart(record);
  const Status written = write(record);
  if (written.ok()) return;
  warn("the flight's record cannot be brought up to date: " + written.error().message +
       "; the flight goes on, restarts are not counted");
}

Result<int> FlightState::begin(std::string_view set_id, const BootMoment& now) {
  const auto count_of = [](const Record& record) {
    return static_cast<int>(std::min<std::uint64_t>(record.start_count, 1U << 30U));
  };
  if (phase_for(set_id) == FlightPhase::kReboot) {
    if (is_noted_) return count_of(*found_);
    found_ = next_record(set_id, now);
    count_restart(*found_);
    return count_of(*found_);
  }
  if (found_)
    warn("the flight of set " + found_->set_id + " never ended in order; set " + std::string(set_id) +
         " takes off now");
  const Record record = next_record(set_id, now);
  if (const Status written = write(record); !written.ok()) {
    withdraw(set_id);
    return as_state_error(written.error(), lock_.folder().path(),
                          "make it writable and free space: no take-off");
  }
  found_ = record;
  return count_of(record);
}

/// A refused take-off whose record is there all the same (only its sync failed) must not make the next start
/// a reboot. Best effort: the refusal is what is told.
void FlightState::withdraw(std::string_view set_id) {
  const auto text = read_text(lock_.folder(), kFlightStateFile, kMostBytes);
  const auto record = text.ok() ? decode(*text) : Result<Record>(text.error());
  if (!record.ok() || record->set_id != set_id) return;
  static_cast<void>(lock_.folder().remove(kFlightStateFile).ok() && lock_.folder().sync().ok());
}

void FlightState::tell_restart(const Record& record) const {
  const auto starts = static_cast<std::int64_t>(record.start_count);
  events_->emit({Level::kWarn,
                 "c7.reboot_in_flight",
                 "C7 started again in flight: set " + record.set_id + ", start " + std::to_string(starts),
                 {{"set_id", record.set_id}, {"start_count", starts}}});
  const auto recent = static_cast<std::int64_t>(record.recent.size());
  if (recent < kCrashLoopStarts) return;
  events_->emit({Level::kError,
                 "c7.crash_loop",
                 "C7 crash loop: " + std::to_string(recent) + " starts within " +
                     std::to_string(kCrashLoopSeconds) + " s; systemd's start limit ends it",
                 {{"set_id", record.set_id}, {"start_count", recent}, {"window_s", kCrashLoopSeconds}}});
}

void FlightState::end() noexcept {
  try {
    Status removed = lock_.folder().remove(kFlightStateFile);
    if (removed.ok()) removed = lock_.folder().sync();
    if (!removed.ok() && removed.error().reason != Reason::kNotFound) {
      warn("the flight's record cannot be removed: " + removed.error().message +
           "; the next start will count as a reboot in flight");
      return;
    }
    found_.reset();
    is_noted_ = false;
  } catch (const std::exception&) {
    // No memory for a text: the record stays, and the next start is a reboot.
  }
}

void FlightState::warn(std::string text) {
  events_->emit({Level::kWarn,
                 "c7.flight_state",
                 "state_dir " + lock_.folder().path().string() + ": " + text,
                 {{"folder", lock_.folder().path().string()}}});
}

Status FlightState::write(const Record& record) {
  const std::string text = encode(record);
  return publish_file(lock_.folder(), kFlightStateFile, std::as_bytes(std::span(text)));
}

std::string FlightState::encode(const Record& record) {
  Json json = Json::object();
  json["schema_version"] = kSchemaVersion;
  json["set_id"] = record.set_id;
  json["boot_id"] = record.boot_id;
  json["start_count"] = record.start_count;
  json["recent_starts_s"] = record.recent;
  return json.dump(2) + "\n";
}

Result<FlightState::Record> FlightState::decode(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, {kMostBytes, 4}));
  ObjectReader reader(json, "in_flight");
  Record record;
  static_cast<void>(reader.integer("schema_version", kSchemaVersion, kSchemaVersion));
  record.set_id = reader.text("set_id", 100);
  record.boot_id = reader.text("boot_id", 64);
  record.start_count = reader.unsigned_integer("start_count");
  for (const Json* start : reader.array("recent_starts_s", 64)) {
    if (!start->is_number_integer() || start->get<std::int64_t>() < 0 ||
        start->get<std::int64_t>() > kMostSeconds) {
      reader.fail("recent_starts_s", "seconds since the boot", start->dump());
      break;
    }
    record.recent.push_back(start->get<std::int64_t>());
  }
  SKUA_RETURN_IF_ERROR(reader.finish());
  return record;
}

}  // namespace skua
