// One compile half at work in a temporary folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "inference/compile_job.h"
#include "temp_folder.h"

namespace skua::test {

class SilentProgress final : public CompileProgress {
 public:
  void step(std::string_view text) override { steps.emplace_back(text); }
  std::vector<std::string> steps;
};

/// The model goes to model/net.<extension>, the results to staging/.
class BasicCompileCase {
 public:
  using CompileHalf = std::function<Result<EngineRecord>(const CompileRequest&, CompileProgress&)>;

  BasicCompileCase(const std::string& model, const std::string& extension, Precision precision,
                   RuntimeConfig config, CompileHalf compile_half)
      : compile_half_(std::move(compile_half)) {
    request.model_path = folder.write("model/net." + extension, model);
    request.runtime_label = config.runtime;
    request.staging_dir = folder.path() / "staging";
    request.artifact_name = "net__sm0_jp0_trt0_" + std::string(to_string(precision)) + "." + extension;
    request.model_name = "net";
    request.build.precision = precision;
    request.config = std::move(config);
  }
  Result<EngineRecord> compile() {
    std::filesystem::remove_all(request.staging_dir);  // of an earlier one
    std::filesystem::create_directory(request.staging_dir);
    SilentProgress progress;
    return compile_half_(request, progress);
  }
  std::string artifact() const { return folder.read("staging/" + request.artifact_name); }

  TempFolder folder;
  CompileRequest request;

 private:
  CompileHalf compile_half_;
};

}  // namespace skua::test
