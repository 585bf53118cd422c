#include "inference/compile_job.h"

#include <utility>

#include "core/json_strict.h"
#include "core/json_types.h"

namespace skua {
namespace {

constexpr JsonLimits kLimits{.max_bytes = 8U << 20U, .max_depth = 16};

/// Error codes and reasons cross the process boundary as numbers: both ends are one build, the id is compared
/// first.
Json error_to_json(const Error& error) {
  return Json{{"code", static_cast<int>(error.code)},
              {"reason", static_cast<int>(error.reason)},
              {"native_code", error.native_code},
              {"message", error.message}};
}

Status read_error(const Json& json, Error& error) {
  ObjectReader reader(json, "error");
  error.code =
      static_cast<ErrorCode>(reader.unsigned_integer("code", static_cast<unsigned>(ErrorCode::kInternal)));
  error.reason =
      static_cast<Reason>(reader.unsigned_integer("reason", static_cast<unsigned>(Reason::kInternal)));
  error.native_code = static_cast<int>(reader.integer("native_code", INT32_MIN, INT32_MAX));
  error.message = reader.text("message", 1U << 20U);
  return reader.finish();
}

}  // namespace

Result<std::string> encode_request(const CompileRequest& request) {
  const Json json{{"runtime_label", request.runtime_label},
                  {"model_path", request.model_path.string()},
                  {"staging_dir", request.staging_dir.string()},
                  {"artifact_name", request.artifact_name},
                  {"model_name", request.model_name},
                  {"build", to_json(request.build)},
                  {"config", to_json(request.config)},
                  {"host", to_json(request.host)},
                  {"unproven", request.unproven},
                  {"values_for", request.values_for ? Json(to_string(*request.values_for)) : Json()}};
  try {
    return json.dump(1) + "\n";
  } catch (const Json::exception&) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "a path or name of this build is not UTF-8; rename the file, folder or model");
  }
}

Result<CompileRequest> decode_request(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, kLimits));
  ObjectReader reader(json, "request");
  CompileRequest request;
  request.runtime_label = reader.text("runtime_label");
  request.model_path = reader.text("model_path");
  request.staging_dir = reader.text("staging_dir");
  request.artifact_name = reader.text("artifact_name");
  request.model_name = reader.text("model_name");
  request.unproven = reader.boolean("unproven");
  if (reader.optional("values_for") != nullptr) {
    SKUA_ASSIGN_OR_RETURN(request.values_for, precision_from_string(reader.text("values_for", 64)));
  }
  const Json& build = reader.object("build");
  const Json& config = reader.object("config");
  const Json& host = reader.object("host");
  SKUA_RETURN_IF_ERROR(reader.finish());
  SKUA_ASSIGN_OR_RETURN(request.build, build_config_from_json(build, "request.build"));
  SKUA_ASSIGN_OR_RETURN(request.config, runtime_config_from_json(config, "request.config"));
  SKUA_ASSIGN_OR_RETURN(request.host, host_from_json(host, "request.host"));
  return request;
}

std::string encode_response(const Result<EngineRecord>& response) {
  Json json = Json::object();
  if (response.ok()) {
    json["engine"] = to_json(*response);
  } else {
    json["error"] = error_to_json(response.error());
  }
  // A model may carry any bytes in its names; what is not UTF-8 is replaced rather than thrown at.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<EngineRecord> decode_response(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, kLimits));
  ObjectReader reader(json, "response");
  const Json* engine = reader.optional("engine");
  const Json* error = reader.optional("error");
  SKUA_RETURN_IF_ERROR(reader.finish());
  if (error != nullptr) {
    Error found;
    SKUA_RETURN_IF_ERROR(read_error(*error, found));
    return found;
  }
  if (engine == nullptr) {
    return make_error(ErrorCode::kEngineBuild, Reason::kMalformed,
                      "the build response holds neither engine nor error");
  }
  return engine_record_from_json(*engine, "response.engine");
}

}  // namespace skua
