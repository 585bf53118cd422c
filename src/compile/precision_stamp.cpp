#include "compile/precision_stamp.h"

#include "compile/compilation.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr std::size_t kMostPatterns = 1024;

Error stamp_error(const std::string& what, const std::string& expected, const std::string& found) {
  return build_error(Reason::kCalibrationMismatch, "the model's stamp, " + what + ": expected " + expected +
                                                       ", found " + found +
                                                       "; make the model anew with skua quantize");
}

Result<PrecisionStamp> decode(const Json& json, Precision precision) {
  ObjectReader reader(json, kPrecisionStamp);
  PrecisionStamp stamp;
  stamp.precision = precision;
  static_cast<void>(reader.text("precision", 64));
  stamp.source_sha256 = reader.digest("source_sha256");
  stamp.dataset_sha256 = reader.digest("dataset_sha256");
  stamp.sample_count = reader.unsigned_integer("sample_count");
  static_cast<void>(reader.unsigned_integer("held_out_count"));
  stamp.algorithm = reader.optional("algorithm") == nullptr ? "none" : reader.text("algorithm", 64);
  stamp.producer = reader.text("producer", 256);
  for (const Json* pattern : reader.array("keep_fp32", kMostPatterns)) {
    if (const auto* text = pattern->get_ptr<const std::string*>())
      stamp.keep_fp32.push_back(*text);
    else
      reader.fail("keep_fp32", "patterns", "another value");
  }
  SKUA_RETURN_IF_ERROR(reader.finish());
  return stamp;
}

}  // namespace

Result<std::optional<PrecisionStamp>> stamp_of(const OnnxModel& model) {
  const std::string text = model.metadata_or_empty(kPrecisionStamp);
  if (text.empty()) return std::optional<PrecisionStamp>();
  const auto json = parse_json(text);
  if (!json.ok()) return stamp_error("its text", "JSON", json.error().message);
  const auto named = json->find("precision");
  const std::string name =
      named != json->end() && named->is_string() ? named->get<std::string>() : std::string();
  const auto precision = precision_from_string(name);
  if (!precision.ok()) return stamp_error("precision", "one that Skua knows", quote(name));
  if (*precision != Precision::kInt8 && *precision != Precision::kMixed)
    return std::optional<PrecisionStamp>();
  auto stamp = decode(*json, *precision);
  if (!stamp.ok()) return stamp_error("its fields", "those of skua quantize", stamp.error().message);
  return std::optional<PrecisionStamp>(*std::move(stamp));
}

Status check_stamp(const std::optional<PrecisionStamp>& stamp, Precision precision,
                   const Sha256& dataset_sha256) {
  const std::string asked(to_string(precision));
  if (!stamp) return stamp_error(kPrecisionStamp, "one that says of what the model was made", "none");
  if (stamp->precision != precision)
    return stamp_error("precision", asked, std::string(to_string(stamp->precision)));
  if (stamp->dataset_sha256 != dataset_sha256)
    return stamp_error("data set", dataset_sha256.hex() + ", which is the given calibration_dataset",
                       stamp->dataset_sha256.hex());
  return {};
}

}  // namespace skua::compile
