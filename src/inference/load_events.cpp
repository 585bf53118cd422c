#include "inference/load_events.h"

namespace skua {

Event refusal_event(std::string_view file, const Error& error) {
  return {Level::kError,
          "c7.engine_refused",
          error.describe(),
          {{"file", std::string(file)},
           {"error", std::string(error_class_name(error.code))},
           {"reason", std::string(to_string(error.reason))}}};
}

void report_refusal(const RuntimeState& runtime, std::string_view file, const Error& error) {
  runtime.environment.events->emit(refusal_event(file, error));
}

void report_loaded(const RuntimeState& runtime, const EngineState& engine, const EngineLoadTimes& times) {
  EventSink& events = *runtime.environment.events;
  const std::string name = engine.record.model + "@" + std::string(to_string(engine.record.precision));
  events.emit({Level::kInfo,
               "c7.engine_deserialized",
               "C7 engine deserialised: " + name,
               {{"model", engine.record.model},
                {"engine_sha256", engine.record.engine_sha256.hex()},
                {"device", engine.report.device},
                {"arithmetic", engine.report.arithmetic},
                {"verify_ns", times.verify_ns},
                {"deserialize_ns", times.deserialize_ns}}});
  events.emit({Level::kInfo,
               "c7.backbone_resident",
               "C7 backbone resident: " + name,
               {{"backbone", engine.record.model},
                {"resident_bytes", static_cast<std::int64_t>(engine.resident_bytes)},
                {"golden_ns", times.golden_ns}}});
}

}  // namespace skua
