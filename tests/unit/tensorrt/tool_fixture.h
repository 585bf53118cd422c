// What the tests of the two tools share: a compilation by one of them, and scripts that stand for them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "compile_fixture.h"

namespace skua::test {

class ToolCase : public TensorrtCompileCase {
 public:
  explicit ToolCase(BuildRoute route, const std::string& model = dynamic_relu_model(),
                    Precision precision = Precision::kFp32)
      : TensorrtCompileCase(model, precision) {
    request.build.build_route = route;
    request.config.trtexec = SKUA_SIL_TRTEXEC;
  }
  std::filesystem::path script(const std::string& text) {
    const std::string says = request.build.build_route == BuildRoute::kPolygraphy
                                 ? "echo \"[V] Loaded Module: tensorrt | Version: 10.3.0 | Path: ['/']\"\n"
                                 : "";
    const std::filesystem::path path = folder.write("tool.sh", "#!/bin/sh\n" + says + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  /// Polygraphy whose plan is this one.
  void deliver(const std::string& plan) {
    const auto path = folder.write("plan", plan);
    request.config.polygraphy =
        script("while [ \"$1\" != --output ]; do shift; done; cp " + path.string() + " \"$2\"");
  }
};

using Tell = std::function<void(nvinfer1::IBuilder&, nvinfer1::IBuilderConfig&)>;

/// A plan of `model` by a builder that was told what ours never is.
inline std::string plan_by_hand(const std::string& model, const Tell& tell) {
  const auto parsed = parse(model);
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(parsed->network.builder->createBuilderConfig());
  tell(*parsed->network.builder, *config);
  const std::unique_ptr<nvinfer1::IHostMemory> plan(
      parsed->network.builder->buildSerializedNetwork(*parsed->network.network, *config));
  return plan ? std::string(static_cast<const char*>(plan->data()), plan->size()) : "";
}

}  // namespace skua::test
