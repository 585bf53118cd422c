#include "compile/precision_stamp.h"

#include <set>
#include <utility>

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

namespace {

Status check_stamp(const PrecisionStamp& stamp, const CompileRequest& request, const BuildSamples& samples) {
  const Precision precision = request.build.precision;
  if (stamp.precision != precision)
    return stamp_error("precision", std::string(to_string(precision)),
                       std::string(to_string(stamp.precision)));
  const Sha256& data_set = samples.calibrating.set.digest;
  if (stamp.dataset_sha256 != data_set)
    return stamp_error("data set", data_set.hex() + ", which is the given calibration_dataset",
                       stamp.dataset_sha256.hex());
  const std::size_t count = samples.calibrating.files.size();
  if (stamp.sample_count != count)
    return stamp_error("samples that calibrated", std::to_string(count), std::to_string(stamp.sample_count));
  if (precision != Precision::kInt8 || request.build.keep_fp32.empty()) return {};
  const std::set<std::string> asked(request.build.keep_fp32.begin(), request.build.keep_fp32.end());
  const std::set<std::string> made(stamp.keep_fp32.begin(), stamp.keep_fp32.end());
  if (asked == made) return {};
  return stamp_error("keep_fp32", join(request.build.keep_fp32), join(stamp.keep_fp32));
}

}  // namespace

Result<PrecisionStamp> settle_stamp(Compilation& compilation, const OnnxModel& model,
                                    const BuildSamples& samples) {
  const CompileRequest& request = compilation.request;
  SKUA_ASSIGN_OR_RETURN(std::optional<PrecisionStamp> stamp, stamp_of(model));
  if (!stamp) return stamp_error(kPrecisionStamp, "one that says of what the model was made", "none");
  SKUA_RETURN_IF_ERROR(check_stamp(*stamp, request, samples));
  if (!request.build.fp32_source) {
    return build_error(Reason::kReferenceUnavailable,
                       "precision " + std::string(to_string(request.build.precision)) +
                           ": expected fp32_source, the float32 network that the model was made from, found "
                           "none; give it: the artifact is compared with it");
  }
  compilation.record.calibration =
      CalibrationProvenance{stamp->dataset_sha256, stamp->sample_count, compilation.record.model_sha256,
                            stamp->algorithm, stamp->producer};
  return *std::move(stamp);
}

Status check_source(const PrecisionStamp& stamp, const EngineRecord& reference) {
  if (stamp.source_sha256 == reference.model_sha256) return {};
  return build_error(Reason::kCalibrationMismatch,
                     "fp32_source: expected the network that the model was made from, " +
                         stamp.source_sha256.hex() + ", found " + reference.model_sha256.hex() +
                         "; give that one");
}

}  // namespace skua::compile
