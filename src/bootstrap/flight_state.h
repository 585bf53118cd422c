// The record of the flight in progress: how a start tells a take-off (F2) from a reboot in the air (F8).
// docs/formats/flight-state.md specifies the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/publish.h"
#include "cache/release_ratchet.h"
#include "skua/ports.h"
#include "skua/result.h"

namespace skua {

/// Take-off, or a restart of the program while the aircraft flies.
enum class FlightPhase : std::uint8_t { kTakeOff, kReboot };
/// "F2", "F8".
std::string_view to_string(FlightPhase phase) noexcept;

/// So many starts of one flight within so many seconds are a crash loop; systemd's start limit is the same.
inline constexpr int kCrashLoopStarts = 5;
/// Five starts of 30 s each, the longest that the stack allows, have to fit into it.
inline constexpr std::int64_t kCrashLoopSeconds = 300;

/// A moment, as restarts of one machine can be compared by: seconds since its boot, and which boot.
struct BootMoment {
  std::string boot_id;
  std::int64_t seconds = 0;
};
/// The machine's (/proc/sys/kernel/random/boot_id, CLOCK_BOOTTIME).
BootMoment boot_moment();

/// Holds the state folder's lock for its whole life: two flights at once would each load a set and fight for
/// the device.
class FlightState {
 public:
  /// Takes the lock and reads the record. InvalidArgumentError: the folder is missing, unreadable or held by
  /// another program (folder_busy). A record that is not well formed is moved aside to
  /// `in_flight.json.rejected` and told as a WARN; the start is then a take-off.
  /// `is_dry`: nothing is changed, for a start that does not fly.
  static Result<FlightState> open(FileSystem& files, const std::filesystem::path& state_dir,
                                  EventSink& events, bool is_dry = false);

  /// Before the load, where the record of a flight is there: counts this start in it, durably, and tells
  /// c7.reboot_in_flight and c7.crash_loop, because it is the load that may fall over. begin() then does not
  /// count it again. A folder that cannot be written is a WARN.
  void note_restart(const BootMoment& now);

  /// The set whose flight never ended in order; empty: none.
  std::string set_in_flight() const { return found_ ? found_->set_id : std::string(); }
  /// What a start with `set_id` is: a reboot when the record names this very set.
  FlightPhase phase_for(std::string_view set_id) const noexcept;
  /// Records that `set_id` is in flight since `now`, durably, before the first frame. Tells
  /// c7.reboot_in_flight, and c7.crash_loop when there were kCrashLoopStarts starts within kCrashLoopSeconds,
  /// this one included. InvalidArgumentError when the folder cannot be written: no take-off. On a reboot the
  /// old record stands, so that is a WARN alone: a full disk must not end a flight. Returns how often this
  /// flight was started.
  Result<int> begin(std::string_view set_id, const BootMoment& now);
  /// The flight ended in order: the record goes, and what begins next is a take-off. Errors are told as a
  /// WARN.
  void end() noexcept;

 private:
  struct Record {
    std::string set_id, boot_id;
    std::uint64_t start_count = 0;     ///< all starts of this flight
    std::vector<std::int64_t> recent;  ///< seconds since boot of the last ones in `boot_id`, oldest first
  };
  FlightState(WriterLock lock, EventSink& events);
  Result<std::string> read_safely();
  Status read(bool is_dry);
  void count_restart(const Record& record);
  Record next_record(std::string_view set_id, const BootMoment& now) const;
  Status write(const Record& record);
  void withdraw(std::string_view set_id);
  void warn(std::string text);
  void tell_restart(const Record& record) const;
  static Result<Record> decode(std::string_view text);
  static std::string encode(const Record& record);

  WriterLock lock_;
  EventSink* events_;
  std::optional<Record> found_;
  bool is_noted_ = false;  ///< found_ has this start
};

}  // namespace skua
