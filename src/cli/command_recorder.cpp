#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/json_strict.h"
#include "core/posix_error.h"
#include "core/text.h"
#include "events/recorder_reader.h"
#include "events/timestamp.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

struct DumpArguments {
  std::vector<std::string> paths, kinds;
  std::string since, until;
};

/// Which records are wanted; times are whole timestamps or empty.
struct Filter {
  std::vector<std::string> kinds;
  std::string since, until;

  bool takes(const FlightRecord& record) const {
    // The form has one width, so that the order of texts is that of times.
    const std::string ts = iso8601_utc(record.utc_us);
    const bool is_kind = kinds.empty() || std::find(kinds.begin(), kinds.end(), record.kind) != kinds.end();
    return is_kind && ts >= since && (until.empty() || ts < until);
  }
};

/// A day, minute or second as a whole timestamp: 2026-03-01, 2026-03-01T12:00, 2026-03-01T12:00:00Z.
Result<std::string> timestamp_of(std::string text, std::string_view option) {
  constexpr std::string_view kStart = "0000-01-01T00:00:00.000000Z";
  constexpr std::array<std::size_t, 4> kLengths = {10, 16, 19, 26};
  const std::string given = text;
  if (text.empty()) return text;
  if (text.back() == 'Z' && text.size() > kLengths[0] + 1) text.pop_back();
  if (std::find(kLengths.begin(), kLengths.end(), text.size()) != kLengths.end()) {
    text += kStart.substr(text.size());
    if (parse_iso8601_utc(text)) return text;
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    std::string(option) + " is " + quote(given) +
                        "; expected a time in UTC as 2026-03-01, 2026-03-01T12:00, 2026-03-01T12:00:00Z or "
                        "2026-03-01T12:00:00.000001Z");
}

/// Prints, counts and collects what was found in the segments.
class Dump {
 public:
  Dump(Filter filter, Session& session)
      : filter_(std::move(filter)), console_(session.console), cancel_requested_(session.cancel_requested) {
    console_.report() = {{"records", Json::array()}, {"damage", Json::array()}, {"segments", Json::array()}};
  }

  Status file(Folder& folder, const std::string& name, bool is_certain);
  Status folder(Folder& folder);

 private:
  Status show_all(const Recovery& found, const std::string& file);
  void show(const RecoveredFrame& frame, const std::string& file);
  void tell(const DamagedRange& damage, const std::string& file);

  Filter filter_;
  Console& console_;
  const std::atomic<bool>* cancel_requested_;
  std::uint64_t records_ = 0;
};

Status Dump::show_all(const Recovery& found, const std::string& file) {
  records_ = 0;
  for (const RecoveredFrame& frame : found.frames) {
    if (cancel_requested_ != nullptr && cancel_requested_->load()) {
      return make_error(ErrorCode::kIo, Reason::kCancelled, "stopped; what was printed is not everything");
    }
    show(frame, file);
  }
  for (const DamagedRange& damage : found.damage) tell(damage, file);
  return {};
}

void Dump::show(const RecoveredFrame& frame, const std::string& file) {
  const auto record = decode_flight_record(frame.text);
  if (!record.ok()) {
    tell({frame.offset, frame.offset + kFrameHeadBytes + frame.text.size(), DamageKind::kRecord,
          record.error().message},
         file);
    return;
  }
  ++records_;
  if (!filter_.takes(*record)) return;
  console_.line(frame.text);
  if (console_.is_json()) console_.report()["records"].push_back(Json::parse(frame.text));
}

void Dump::tell(const DamagedRange& damage, const std::string& file) {
  if (console_.is_json()) {
    console_.report()["damage"].push_back({{"file", file},
                                           {"from", damage.from},
                                           {"to", damage.to},
                                           {"kind", to_string(damage.kind)},
                                           {"reason", damage.reason}});
  }
  console_.warn(file + ": bytes " + std::to_string(damage.from) + " to " + std::to_string(damage.to) +
                " give no record: " + damage.reason + " [" + std::string(to_string(damage.kind)) + "]");
}

/// `is_certain`: it lies in a recorder's folder under the name of a segment, so that whatever it holds is
/// told as damage; else it must look like one.
Status Dump::file(Folder& folder, const std::string& name, bool is_certain) {
  const std::string path = (folder.path() / name).string();
  SKUA_ASSIGN_OR_RETURN(const std::string bytes, read_segment(folder, name));
  const Recovery found = recover(std::as_bytes(std::span(bytes)));
  if (!is_certain && !found.is_recorder_file) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed,
                      quote(path, 4096) + " is no file of the flight recorder: " + found.damage.at(0).reason +
                          "; give a segment-*.skfr or the folder that holds them");
  }
  SKUA_RETURN_IF_ERROR(show_all(found, path));
  if (!console_.is_json()) return {};
  Json segment = {{"file", path}, {"size_bytes", bytes.size()}, {"records", records_}};
  segment["number"] = found.header ? Json(found.header->number) : Json();
  segment["opened"] = found.header ? Json(iso8601_utc(found.header->utc_us)) : Json();
  console_.report()["segments"].push_back(std::move(segment));
  return {};
}

/// All segments, also behind one that cannot be read; the first error decides.
Status Dump::folder(Folder& folder) {
  SKUA_ASSIGN_OR_RETURN(const auto segments, list_segments(folder));
  if (segments.empty()) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kNotFound,
                      quote(folder.path().string(), 4096) +
                          " holds no segment-*.skfr; give the folder of a flight recorder");
  }
  Status first;
  for (const SegmentEntry& segment : segments) {
    const Status status = file(folder, segment.name, true);
    if (status.ok() || status.error().reason == Reason::kNotFound) continue;  // rotated away meanwhile
    if (status.error().reason == Reason::kCancelled) return status;
    console_.error(status.error().describe());
    if (first.ok()) first = status;
  }
  return first;
}

Status dump_path(const fs::path& path, Dump& dump) {
  FileSystem& files = posix_file_system();
  const auto folder = files.open_folder(path);
  if (folder.ok()) return dump.folder(**folder);
  if (folder.error().native_code != ENOTDIR) return folder.error();
  SKUA_ASSIGN_OR_RETURN(const auto parent,
                        files.open_folder(path.has_parent_path() ? path.parent_path() : "."));
  return dump.file(*parent, path.filename().string(), false);
}

Status dump(const DumpArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(std::string since, timestamp_of(arguments.since, "--since"));
  SKUA_ASSIGN_OR_RETURN(std::string until, timestamp_of(arguments.until, "--until"));
  Dump dump({arguments.kinds, std::move(since), std::move(until)}, session);
  Status first;
  for (const std::string& path : arguments.paths) {
    const Status status = dump_path(path, dump);
    if (!status.ok()) session.console.error(status.error().describe());
    if (first.ok() && !status.ok()) first = status;
    if (!status.ok() && status.error().reason == Reason::kCancelled) return status;
  }
  return first;
}

}  // namespace

void add_recorder(CLI::App& app, Action& action) {
  auto a = std::make_shared<DumpArguments>();
  CLI::App* recorder = app.add_subcommand("recorder", "read what the flight recorder kept");
  recorder->require_subcommand(1);
  CLI::App* command = recorder->add_subcommand("dump", "print its records as JSON lines");
  command->add_option("PATH", a->paths, "segment files, or folders of a recorder")->required();
  command
      ->add_option("--kind", a->kinds, "only records of this kind, e.g. c7.engine_refused; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--since", a->since, "only records at or after this time, e.g. 2026-03-01T12:00:00Z");
  command->add_option("--until", a->until, "only records before this time");
  command->callback([a, &action] { action = [a](Session& session) { return dump(*a, session); }; });
}

}  // namespace skua
