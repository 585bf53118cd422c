#include "bootstrap/airborne_freshness.h"

#include <span>
#include <utility>

#include "cache/publish.h"
#include "cache/safe_file.h"

namespace skua {
Result<FlightRatchet> FlightRatchet::read(FileSystem& files, const RuntimeConfig& config, EventSink& events,
                                          bool is_reboot) {
  FlightRatchet ratchet(files, config, events, is_reboot);
  auto state = read_ratchet(files, config.state_dir);
  // Of what a disk does in a flight nobody on board can make anything. Another owner or mode is somebody's
  // doing, and no reason to forget what was accepted.
  if (!state.ok() && (!is_reboot || is_unsafe(state.error()))) return std::move(state).error();
  if (!state.ok()) {
    ratchet.warn(state.error().reason,
                 state.error().message + "; the set in flight was accepted at its take-off and is loaded");
    return ratchet;
  }
  ratchet.state_ = *state;
  if (state->is_one_copy_bad) {
    ratchet.warn(Reason::kRatchetDamaged,
                 "one copy of the accepted release sequence is damaged or missing; "
                 "the other one counts: " +
                     std::to_string(*state->accepted));
  } else if (is_reboot && !state->accepted) {
    ratchet.warn(
        Reason::kRatchetDamaged,
        "no accepted release sequence is there, though a set took off: it was lost; the set in flight "
        "is loaded");
  }
  return ratchet;
}

void FlightRatchet::restrict(GatePolicy& policy) const {
  if (state_) bound_sequence(policy, *state_, config_->release_sequence_step);
  const ExpiryRule judged = is_reboot_ ? ExpiryRule::kWarn : ExpiryRule::kRefuse;
  policy.expiry = config_->is_clock_trusted ? judged : ExpiryRule::kNotJudged;
}

Status FlightRatchet::accept(const EngineSet& set) {
  if (!state_) return {};
  Status written = settle(set);
  if (written.ok()) written = accept_sequence(*files_, config_->state_dir, set.release_sequence);
  if (!written.ok() && !is_reboot_) return written;
  if (!written.ok()) {
    warn(written.error().reason, written.error().message + "; the flight goes on");
    return {};
  }
  if (state_->accepted == set.release_sequence) return {};
  events_->emit(
      {Level::kInfo,
       "c7.sequence_accepted",
       "release sequence " + std::to_string(set.release_sequence) + " is accepted with set " + set.set_id +
           "; no older one flies here any more",
       {{"set_id", set.set_id}, {"release_sequence", static_cast<std::int64_t>(set.release_sequence)}}});
  return {};
}

Status FlightRatchet::settle(const EngineSet& set) const {
  if (state_->accepted == set.release_sequence) return {};
  const auto settle_in = [&]() -> Status {
    SKUA_ASSIGN_OR_RETURN(const auto sets, files_->open_folder(config_->flight_sets_dir));
    return settle_sets(*sets, std::span(&set.set_id, 1));
  };
  const Status settled = settle_in();
  if (settled.ok()) return {};
  return make_error(ErrorCode::kManifest, Reason::kRatchetNotWritten,
                    "flight set " + set.set_id +
                        ": cannot make sure that it is on the disk: " + settled.error().message +
                        "; its release sequence is not accepted before that: check the storage, then start "
                        "again",
                    settled.error().native_code);
}

void FlightRatchet::warn(Reason reason, std::string text) const {
  const std::string folder = (config_->state_dir / kRatchetFolder).string();
  events_->emit({Level::kWarn,
                 "c7.ratchet",
                 folder + ": " + std::move(text),
                 {{"folder", folder}, {"reason", std::string(to_string(reason))}}});
}

}  // namespace skua
