// A recorded reading, one line of JSON: source "replay" believes it.
#include "telemetry/reading_json.h"

#include <cmath>

#include "../fuzz.h"
#include "telemetry/source.h"

namespace {

// The texts of a recorded reading, as a source has them.
class Recorded final : public skua::ThermalSource {
 public:
  explicit Recorded(const skua::RecordedReading& line) : line_(&line) {}
  std::string_view name() const noexcept override { return line_->source; }
  void read(skua::ThermalReading& reading) noexcept override { reading = line_->reading; }
  std::string_view origin(skua::ThermalField field) const noexcept override {
    return line_->origins[static_cast<std::size_t>(field)];
  }
  std::string_view cause(std::size_t index) const noexcept override {
    return index < line_->causes.size() ? std::string_view(line_->causes[index]) : std::string_view();
  }

 private:
  const skua::RecordedReading* line_;
};

std::string text_of(const skua::RecordedReading& line) {
  return skua::encode_reading(Recorded(line), line.reading, line.measured_at_ns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto line = decode_reading(fuzz::text_of(data, size));
  if (!line.ok()) {
    fuzz::require_refusal(line.error(), {Reason::kMalformed});
    return 0;
  }
  for (const FieldReading& field : line->reading.fields)
    fuzz::require(field.status != FieldStatus::kValue || std::isfinite(field.value), "values are finite");
  fuzz::require(line->causes.size() <= 32, "at most 32 causes");
  const std::string text = text_of(*line);
  const auto again = decode_reading(text);
  fuzz::require(again.ok(), "what was encoded is accepted", again.ok() ? "" : again.error().describe());
  fuzz::require(text_of(*again) == text, "encode(decode(encode(x))) is encode(x)");
  return 0;
}
