#include "calibration/cache_origin.h"

#include "cache/json_fields.h"
#include "cache/utf8.h"
#include "calibration/cache_text.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::string_view kKind = "skua.calibration-origin";
constexpr std::uint64_t kSchema = 1;
constexpr std::uint64_t kMaxSamples = 1'000'000;  // files of a data set
constexpr std::uint64_t kMaxVersion = 999'999;    // six digits, as in the cache's first line

Error bad_origin(const Error& cause) {
  return make_error(ErrorCode::kCalibrationCache, Reason::kMalformed,
                    "origin of a calibration cache: " + cause.message);
}

std::uint64_t positive(ObjectReader& reader, std::string_view key, std::uint64_t most) {
  const std::uint64_t value = reader.unsigned_integer(key, most);
  if (reader.ok() && value == 0) reader.fail(key, "1 to " + std::to_string(most), "0");
  return value;
}

std::string algorithm_of(ObjectReader& reader) {
  std::string name = reader.text("algorithm", kMaxNameBytes);
  const bool is_known = name == to_string(Algorithm::kEntropy2) || name == to_string(Algorithm::kMinMax);
  if (reader.ok() && !is_known) {
    reader.fail("algorithm", "EntropyCalibration2 or MinMaxCalibration", quote(name));
  }
  return name;
}

std::string producer_of(ObjectReader& reader) {
  std::string name = reader.text("producer", kMaxNameBytes);
  if (reader.ok() && (name.empty() || !is_printable_utf8(name))) {
    reader.fail("producer", "1 to 255 bytes of printable UTF-8", quote(name));
  }
  return name;
}

Result<CacheOrigin> read_origin(const Json& json) {
  ObjectReader reader(json, "");
  expect_text(reader, "kind", kKind);
  const std::uint64_t schema = reader.unsigned_integer("schema");
  if (reader.ok() && schema != kSchema) {
    reader.fail("schema", std::to_string(kSchema), std::to_string(schema));
  }
  CacheOrigin origin;
  origin.model_sha256 = reader.digest("model_sha256");
  origin.calibration.dataset_sha256 = reader.digest("dataset_sha256");
  origin.calibration.sample_count = positive(reader, "sample_count", kMaxSamples);
  origin.calibration.cache_sha256 = reader.digest("cache_sha256");
  origin.calibration.algorithm = algorithm_of(reader);
  origin.calibration.producer = producer_of(reader);
  origin.library_version = static_cast<std::uint32_t>(positive(reader, "tensorrt_version", kMaxVersion));
  SKUA_RETURN_IF_ERROR(reader.finish());
  return origin;
}

}  // namespace

std::string encode_cache_origin(const CacheOrigin& origin) {
  Json json = Json::object();
  json["kind"] = kKind;
  json["schema"] = kSchema;
  json["model_sha256"] = origin.model_sha256.hex();
  json["dataset_sha256"] = origin.calibration.dataset_sha256.hex();
  json["sample_count"] = origin.calibration.sample_count;
  json["cache_sha256"] = origin.calibration.cache_sha256.hex();
  json["algorithm"] = origin.calibration.algorithm;
  json["producer"] = origin.calibration.producer;
  json["tensorrt_version"] = origin.library_version;
  return file_text_of(json);
}

Result<CacheOrigin> decode_cache_origin(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = kMaxOriginBytes, .max_depth = 2});
  if (!json.ok()) return bad_origin(json.error());
  auto origin = read_origin(*json);
  if (!origin.ok()) return bad_origin(origin.error());
  return origin;
}

}  // namespace skua::calibration
