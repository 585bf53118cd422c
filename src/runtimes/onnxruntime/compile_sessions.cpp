#include "runtimes/onnxruntime/compile_sessions.h"

#include <vector>

namespace skua::ort {
namespace {

Status hand_over_external(const CompileState& state, OrtSessionOptions* options) {
  if (state.external.empty()) return {};
  const OrtApi& api = state.library->api();
  std::vector<const char*> names;
  std::vector<char*> buffers;
  std::vector<std::size_t> sizes;
  for (const ExternalFile& file : state.external) {
    names.push_back(file.location.c_str());
    // The interface lacks a const; ONNX Runtime only reads.
    buffers.push_back(const_cast<char*>(reinterpret_cast<const char*>(file.bytes.data())));
    sizes.push_back(file.bytes.size());
  }
  return check(api,
               api.AddExternalInitializersFromFilesInMemory(options, names.data(), buffers.data(),
                                                            sizes.data(), names.size()),
               OrtContext::kCompile, "external weights");
}

}  // namespace

EngineLimits compile_limits(const CompileRequest& request) {
  return {workspace_bytes(request.config, request.build.workspace_mb), request.build.optimization_profiles};
}

Result<std::shared_ptr<const Session>> create_source_session(const CompileState& state,
                                                             const SessionPlan& plan) {
  SKUA_ASSIGN_OR_RETURN(const auto options, make_options(*state.library, plan, ErrorCode::kEngineBuild));
  SKUA_RETURN_IF_ERROR(hand_over_external(state, options.get()));
  return create_session(state.library, options, state.source_bytes, OrtContext::kCompile,
                        state.request.model_path.filename().string());
}

Result<std::shared_ptr<const Session>> create_artifact_session(const CompileState& state,
                                                               const SessionPlan& plan) {
  SKUA_ASSIGN_OR_RETURN(const auto options, make_options(*state.library, plan, ErrorCode::kEngineBuild));
  return create_session(state.library, options, state.artifact, OrtContext::kCompile,
                        state.request.artifact_name);
}

}  // namespace skua::ort
