// Step 1: the source model as bytes in memory.
#include <utility>

#include "runtimes/onnxruntime/compile_steps.h"

namespace skua::ort {

Status read_source(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(compile::OnnxSource source, compile::read_onnx_source(state));
  state.source = std::move(source.model);
  state.external = std::move(source.external);
  return {};
}

}  // namespace skua::ort
