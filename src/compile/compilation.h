// One model being compiled: what the steps of a compile half share. A runtime derives its own state from it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cache/engine_record.h"
#include "cache/golden.h"
#include "inference/compile_job.h"

namespace skua::compile {

struct Compilation {
  /// Borrows `job`, which must outlive it.
  explicit Compilation(const CompileRequest& job) : request(job) { record.file = job.artifact_name; }

  const CompileRequest& request;
  std::vector<std::byte> source_bytes;  ///< the model file as read, once
  std::vector<std::byte> artifact;      ///< as saved, loaded back from the staging folder
  GoldenVectors golden;
  std::vector<std::byte> golden_bytes;  ///< the user's file as read, once; empty without one
  EngineRecord record;                  ///< filled step by step

  std::filesystem::path staged(const std::string& name) const { return request.staging_dir / name; }
  std::string golden_name() const { return request.artifact_name + ".golden"; }
};

/// An EngineBuildError.
inline Error build_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message));
}

}  // namespace skua::compile
