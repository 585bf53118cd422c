#include "events/event_kinds.h"

#include <algorithm>
#include <array>

namespace skua {
namespace {

constexpr auto kInteger = ValueType::kInteger;
constexpr auto kReal = ValueType::kReal;
constexpr auto kText = ValueType::kText;

constexpr std::array<PayloadKey, 3> kBackboneResident{
    {{"backbone", kText}, {"resident_bytes", kInteger}, {"golden_ns", kInteger}}};
constexpr std::array<PayloadKey, 1> kBuildUnconfined{{{"confinement", kText}}};
constexpr std::array<PayloadKey, 2> kCalibrationCacheRejected{{{"file", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 2> kCalibrationRun{{{"file", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 3> kCpuFallback{
    {{"model_name", kText}, {"requested_providers", kText}, {"active_provider", kText}}};
constexpr std::array<PayloadKey, 3> kCrashLoop{
    {{"set_id", kText}, {"start_count", kInteger}, {"window_s", kInteger}}};
constexpr std::array<PayloadKey, 2> kEngineBuildFailed{{{"model_path", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 2> kEngineBuilt{{{"model", kText}, {"engine_sha256", kText}}};
constexpr std::array<PayloadKey, 2> kDeviceLost{{{"runtime", kText}, {"native_code", kInteger}}};
constexpr std::array<PayloadKey, 2> kGraphUnavailable{{{"backbone", kText}, {"cause", kText}}};
constexpr std::array<PayloadKey, 2> kMemoryAfterSeal{{{"memory", kText}, {"size_bytes", kInteger}}};
constexpr std::array<PayloadKey, 2> kSdkMessage{{{"sdk", kText}, {"severity", kInteger}}};
constexpr std::array<PayloadKey, 6> kEngineDeserialized{{{"model", kText},
                                                         {"engine_sha256", kText},
                                                         {"device", kText},
                                                         {"arithmetic", kText},
                                                         {"verify_ns", kInteger},
                                                         {"deserialize_ns", kInteger}}};
constexpr std::array<PayloadKey, 3> kEngineRefused{{{"file", kText}, {"error", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 7> kEnginesReady{{{"runtime", kText},
                                                   {"engines", kText},
                                                   {"set_id", kText},
                                                   {"signer", kText},
                                                   {"total_ns", kInteger},
                                                   {"engine_times", kText},
                                                   {"thermal_source", kText}}};
constexpr std::array<PayloadKey, 4> kFlightBegun{
    {{"set_id", kText}, {"runtime", kText}, {"phase", kText}, {"start_count", kInteger}}};
constexpr std::array<PayloadKey, 6> kFlightEnded{{{"set_id", kText},
                                                  {"cause", kText},
                                                  {"frame_count", kInteger},
                                                  {"no_result_count", kInteger},
                                                  {"late_count", kInteger},
                                                  {"missed_count", kInteger}}};
constexpr std::array<PayloadKey, 2> kTakeoffRefused{{{"error", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 1> kFlightState{{{"folder", kText}}};
constexpr std::array<PayloadKey, 3> kFrameDropped{
    {{"stage", kText}, {"reason", kText}, {"frame_id", kInteger}}};
constexpr std::array<PayloadKey, 3> kInfer{
    {{"backbone", kText}, {"took_ns", kInteger}, {"frame_id", kInteger}}};
constexpr std::array<PayloadKey, 4> kFailure{
    {{"backbone", kText}, {"reason", kText}, {"native_code", kInteger}, {"frame_id", kInteger}}};
constexpr std::array<PayloadKey, 2> kPolicyRelaxed{{{"policy", kText}, {"relaxation", kText}}};
constexpr std::array<PayloadKey, 2> kRatchet{{{"folder", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 2> kRebootInFlight{{{"set_id", kText}, {"start_count", kInteger}}};
constexpr std::array<PayloadKey, 2> kRuntimeBuilt{{{"runtime", kText}, {"role", kText}}};
constexpr std::array<PayloadKey, 2> kRuntimeFaulted{{{"runtime", kText}, {"reason", kText}}};
constexpr std::array<PayloadKey, 2> kSequenceAccepted{{{"set_id", kText}, {"release_sequence", kInteger}}};
constexpr std::array<PayloadKey, 2> kSetExpired{{{"set_id", kText}, {"not_after", kText}}};
constexpr std::array<PayloadKey, 1> kSetUnsigned{{{"set_id", kText}}};
constexpr std::array<PayloadKey, 3> kSinkLost{
    {{"sink", kText}, {"lost_count", kInteger}, {"problem", kText}}};
constexpr std::array<PayloadKey, 2> kTelemetryUnavailable{{{"source", kText}, {"cause", kText}}};
constexpr std::array<PayloadKey, 6> kThermalTransition{{{"previous_state", kText},
                                                        {"new_state", kText},
                                                        {"gpu_temp_c", kReal},
                                                        {"cpu_temp_c", kReal},
                                                        {"measured_clock_mhz", kInteger},
                                                        {"measured_at_ns", kInteger}}};
constexpr std::array<PayloadKey, 2> kThrottleCounted{{{"count", kInteger}, {"source", kText}}};
constexpr std::array<PayloadKey, 6> kLog{{{"level", kText},
                                          {"log_kind", kText},
                                          {"frame_id", kInteger},
                                          {"msg", kText},
                                          {"kv", kText},
                                          {"exc", kText}}};
constexpr std::array<PayloadKey, 2> kOverrun{{{"producer_id", kText}, {"dropped_count", kInteger}}};

constexpr std::array<EventKind, 40> kKinds{{
    {"c7.backbone_resident", Level::kInfo, Recorded::kByLevel, kBackboneResident},
    {"c7.build_progress", Level::kDebug, Recorded::kByLevel, {}},
    {"c7.build_unconfined", Level::kWarn, Recorded::kByLevel, kBuildUnconfined},
    {"c7.build_warning", Level::kWarn, Recorded::kByLevel, {}},
    {"c7.calibration_cache_rejected", Level::kError, Recorded::kAlways, kCalibrationCacheRejected},
    {"c7.calibration_run", Level::kInfo, Recorded::kByLevel, kCalibrationRun},
    {"c7.cpu_fallback", Level::kWarn, Recorded::kDecodeOnly, kCpuFallback},
    {"c7.crash_loop", Level::kError, Recorded::kAlways, kCrashLoop},
    {"c7.device_lost", Level::kError, Recorded::kAlways, kDeviceLost},
    {"c7.engine_build_failed", Level::kError, Recorded::kByLevel, kEngineBuildFailed},
    {"c7.engine_built", Level::kInfo, Recorded::kByLevel, kEngineBuilt},
    {"c7.engine_deserialized", Level::kInfo, Recorded::kByLevel, kEngineDeserialized},
    {"c7.engine_refused", Level::kError, Recorded::kAlways, kEngineRefused},
    {"c7.engines_ready", Level::kInfo, Recorded::kAlways, kEnginesReady},
    {"c7.flight_begun", Level::kInfo, Recorded::kAlways, kFlightBegun},
    {"c7.flight_cut_short", Level::kWarn, Recorded::kAlways, {}},
    {"c7.flight_ended", Level::kInfo, Recorded::kAlways, kFlightEnded},
    {"c7.flight_state", Level::kWarn, Recorded::kByLevel, kFlightState},
    {"c7.frame_dropped", Level::kWarn, Recorded::kByLevel, kFrameDropped},
    {"c7.graph_unavailable", Level::kInfo, Recorded::kByLevel, kGraphUnavailable},
    {"c7.infer", Level::kDebug, Recorded::kByLevel, kInfer},
    {"c7.inference_failed", Level::kWarn, Recorded::kAlways, kFailure},
    {"c7.memory_after_seal", Level::kError, Recorded::kAlways, kMemoryAfterSeal},
    {"c7.out_of_memory", Level::kError, Recorded::kAlways, kFailure},
    {"c7.policy_relaxed", Level::kWarn, Recorded::kByLevel, kPolicyRelaxed},
    {"c7.ratchet", Level::kWarn, Recorded::kByLevel, kRatchet},
    {"c7.reboot_in_flight", Level::kWarn, Recorded::kAlways, kRebootInFlight},
    {"c7.runtime_built", Level::kInfo, Recorded::kByLevel, kRuntimeBuilt},
    {"c7.runtime_faulted", Level::kError, Recorded::kAlways, kRuntimeFaulted},
    {"c7.sdk_message", Level::kWarn, Recorded::kByLevel, kSdkMessage},
    {"c7.sequence_accepted", Level::kInfo, Recorded::kByLevel, kSequenceAccepted},
    {"c7.set_expired", Level::kWarn, Recorded::kByLevel, kSetExpired},
    {"c7.set_unsigned", Level::kWarn, Recorded::kByLevel, kSetUnsigned},
    {"c7.sink_lost", Level::kWarn, Recorded::kByLevel, kSinkLost},
    {"c7.takeoff_refused", Level::kError, Recorded::kAlways, kTakeoffRefused},
    {"c7.telemetry_unavailable", Level::kWarn, Recorded::kByLevel, kTelemetryUnavailable},
    {"c7.thermal_transition", Level::kWarn, Recorded::kAlways, kThermalTransition},
    {"c7.throttle_counted", Level::kWarn, Recorded::kByLevel, kThrottleCounted},
    {"log", Level::kWarn, Recorded::kByLevel, kLog},
    {"overrun", Level::kWarn, Recorded::kAlways, kOverrun},
}};

}  // namespace

std::span<const EventKind> event_kinds() noexcept { return kKinds; }

const EventKind* find_event_kind(std::string_view name) noexcept {
  const auto* const found =
      std::lower_bound(kKinds.begin(), kKinds.end(), name,
                       [](const EventKind& kind, std::string_view wanted) { return kind.name < wanted; });
  return found != kKinds.end() && found->name == name ? found : nullptr;
}

}  // namespace skua
