// How fresh a set must be to fly: what this aircraft has accepted, and what its clock may say about it.
// docs/design/bootstrap.md explains the rules for a take-off (F2) and for a reboot in flight (F8).
#pragma once

#include "cache/release_ratchet.h"
#include "skua/airborne_bootstrap.h"

namespace skua {

/// The ratchet of one start: read before the load, moved after it.
class FlightRatchet {
 public:
  /// Reads `state_dir`. One bad copy is told (c7.ratchet). ManifestError as read_ratchet, but in a reboot:
  /// the set was accepted when it took off, so what cannot be read, and what is gone, is told and bounds
  /// nothing.
  static Result<FlightRatchet> read(FileSystem& files, const RuntimeConfig& config, EventSink& events,
                                    bool is_reboot);

  /// The bounds of the sequence, and what becomes of an expiry date.
  void restrict(GatePolicy& policy) const;

  /// `set` has passed whole: older ones fly here no more. What is new is first made durable itself, whoever
  /// brought it: were it lost with the power after the ratchet moved, nothing at all would fly. Tells
  /// c7.sequence_accepted when that is new.
  /// ManifestError (ratchet_not_written, ratchet_damaged); in a reboot told as c7.ratchet instead. A ratchet
  /// that could not be read is left as it is: it may say more than `set` does.
  Status accept(const EngineSet& set);

 private:
  FlightRatchet(FileSystem& files, const RuntimeConfig& config, EventSink& events, bool is_reboot)
      : files_(&files), config_(&config), events_(&events), is_reboot_(is_reboot) {}
  Status settle(const EngineSet& set) const;
  void warn(Reason reason, std::string text) const;

  FileSystem* files_;
  const RuntimeConfig* config_;
  EventSink* events_;
  bool is_reboot_;
  std::optional<RatchetState> state_;  ///< nothing: it could not be read
};

}  // namespace skua
