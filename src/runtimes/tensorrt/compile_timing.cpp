#include "runtimes/tensorrt/compile_timing.h"

#include "compile/source_file.h"
#include "core/filesystem.h"
#include "inference/compile.h"
#include "runtimes/tensorrt/compile_timing_cache.h"

namespace skua::tensorrt {
namespace {

constexpr std::uint64_t kMaxCacheBytes = 1U << 30U;

std::string key_of(const CompileState& state) {
  return timing_key(state.request.host,
                    state.library.version + (state.device ? " " + state.device->name : std::string()));
}

void warn(CompileState& state, const std::string& text, const std::string& proof) {
  state.progress.step("warning: " + text);
  state.record.proof["timing_cache"] = proof;
}

Status write_new(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(path.parent_path()));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(path.filename().string()));
  return file->write(bytes);
}

}  // namespace

std::vector<std::byte> find_timing_cache(CompileState& state) {
  const auto path = state.request.config.engine_cache_dir / timing_cache_name(state.request.artifact_name);
  auto file = compile::read_file(path, kMaxCacheBytes, Reason::kNotFound);
  if (!file.ok() && file.error().reason == Reason::kNotFound) {
    state.record.proof["timing_cache"] = "none";
    return {};
  }
  auto blob =
      file.ok() ? decode_timing_cache(*file, key_of(state)) : Result<std::vector<std::byte>>(file.error());
  if (!blob.ok()) {
    warn(state, path.string() + " is not used: " + blob.error().message, "not used");
    return {};
  }
  state.record.proof["timing_cache"] = "used";
  return *std::move(blob);
}

void note_timing_cache_refused(CompileState& state) {
  warn(state, "TensorRT does not take the timing cache beside the engine and measures everything again",
       "refused by TensorRT");
}

bool stage_timing_cache(CompileState& state, const std::filesystem::path& path) {
  const std::vector<std::byte> blob = find_timing_cache(state);
  return !blob.empty() && write_new(path, blob).ok();
}

Status keep_timing_cache(CompileState& state, std::span<const std::byte> blob) {
  return write_new(state.timing_cache_path(), encode_timing_cache(blob, key_of(state)));
}

Status keep_timing_cache(CompileState& state, const std::filesystem::path& path) {
  const auto blob = compile::read_file(path, kMaxCacheBytes, Reason::kNotFound);
  if (!blob.ok()) return {};
  return keep_timing_cache(state, *blob);
}

}  // namespace skua::tensorrt
