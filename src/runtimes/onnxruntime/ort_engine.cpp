#include "runtimes/onnxruntime/ort_engine.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "onnx/onnx_model.h"

namespace skua::ort {
namespace {

Error refused(const EngineRecord& record, const std::string& text) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed,
                    record.file + ": " + text + "; compile it again");
}

bool is_embedded_engine(const OnnxNode& node) {
  if (node.op_type != "EPContext") return false;
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const OnnxAttribute& attribute) {
    return attribute.name == "embed_mode" && attribute.integer == 1;
  });
}

class OrtEngine final : public LoadedEngine {
 public:
  OrtEngine(std::shared_ptr<const Session> session, EngineRecord record, std::string provider)
      : session_(std::move(session)), record_(std::move(record)), provider_(std::move(provider)) {}

  EngineReport report() const override {
    EngineReport report;
    for (const SessionTensor& tensor : session_->tensors.inputs) report.inputs.push_back(tensor.spec);
    for (const SessionTensor& tensor : session_->tensors.outputs) report.outputs.push_back(tensor.spec);
    report.device = provider_ == "cpu" ? "cpu" : "cuda:0";
    report.provider = provider_;
    report.arithmetic = arithmetic_of(provider_, record_.precision);
    report.sdk_version = session_->library->version();
    return report;
  }

  Result<std::unique_ptr<Execution>> create_execution() override {
    return ort::create_execution(session_, record_);
  }
  const std::shared_ptr<const Session>& session() const noexcept { return session_; }

 private:
  std::shared_ptr<const Session> session_;
  EngineRecord record_;
  std::string provider_;
};

}  // namespace

Result<std::shared_ptr<const Session>> create_session(const std::shared_ptr<const OrtLibrary>& library,
                                                      const SessionOptionsHandle& options,
                                                      std::span<const std::byte> model, OrtContext context,
                                                      std::string_view what) {
  const bool is_load = context == OrtContext::kLoad;
  const ErrorCode code = is_load ? ErrorCode::kEngineDeserialize : ErrorCode::kEngineBuild;
  const LogCapture log;
  Session session{library, SessionHandle(library->api()), {}};
  const OrtApi& api = library->api();
  OrtStatus* status = api.CreateSessionFromArray(library->env(), model.data(), model.size(), options.get(),
                                                 session.handle.out());
  if (status != nullptr) {
    Error error = translate(api, status, context, what);
    if (const std::string logged = log.text(); !logged.empty())
      error.message += " (it logged: " + logged + ")";
    return error;
  }
  SKUA_ASSIGN_OR_RETURN(session.tensors, tensors_of(*library, session.handle.get(), code));
  return std::make_shared<const Session>(std::move(session));
}

std::string_view arithmetic_of(std::string_view provider, Precision precision) noexcept {
  if (precision == Precision::kFp32) return "fp32";
  if (precision != Precision::kFp16) return to_string(precision);
  return provider == "cpu" ? "fp16 weights, fp32 arithmetic" : "fp16";
}

Status check_self_contained(std::span<const std::byte> artifact, const EngineRecord& record,
                            std::string_view provider) {
  auto model = parse_onnx(artifact);
  if (!model.ok()) return refused(record, model.error().message);
  for (const OnnxTensor* tensor : all_tensors(*model)) {
    if (tensor->is_external)
      return refused(record, "weights " + quote(tensor->name) + " lie outside the file");
  }
  for (const OnnxNode* node : all_nodes(*model)) {
    const bool is_engine = is_embedded_engine(*node);
    if (node->op_type == "EPContext" && !is_engine)
      return refused(record, "an engine context lies outside the file");
    if (provider == "tensorrt" && !is_engine) {
      return refused(record, "node " + quote(node->name) + " (" + node->op_type + ") is no TensorRT engine");
    }
  }
  return {};
}

std::shared_ptr<const Session> session_of(const LoadedEngine& engine) {
  return static_cast<const OrtEngine&>(engine).session();
}

EngineLimits limits_of(const RuntimeConfig& config, const EngineRecord& record) {
  EngineLimits limits;
  limits.workspace_bytes = config.gpu_memory_budget_bytes / 4;
  const auto recorded = record.options.find("workspace_bytes");
  if (recorded != record.options.end()) {
    limits.workspace_bytes = std::min(limits.workspace_bytes, parse_uint64(recorded->second).value_or(0));
  }
  limits.profiles = record.profiles;
  return limits;
}

Result<std::unique_ptr<LoadedEngine>> load_engine(const std::shared_ptr<const OrtLibrary>& library,
                                                  const RuntimeConfig& config,
                                                  std::span<const std::byte> bytes,
                                                  const EngineRecord& record) {
  SKUA_RETURN_IF_ERROR(check_self_contained(bytes, record, config.execution_provider));
  const SessionPlan plan = run_plan(config, limits_of(config, record));
  SKUA_ASSIGN_OR_RETURN(const auto options, make_options(*library, plan, ErrorCode::kEngineDeserialize));
  SKUA_ASSIGN_OR_RETURN(auto session,
                        create_session(library, options, bytes, OrtContext::kLoad, record.file));
  return std::unique_ptr<LoadedEngine>(
      std::make_unique<OrtEngine>(std::move(session), record, config.execution_provider));
}

}  // namespace skua::ort
