#include "runtimes/tensorrt/compile_timing.h"

#include <algorithm>

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
  state.record.proof["timing_cache"] = "not used";
  return *std::move(blob);
}

void note_timing_cache_refused(CompileState& state) {
  warn(state, "TensorRT does not take the timing cache beside the engine and measures everything again",
       "refused by TensorRT");
}

void note_timing_cache_used(CompileState& state) { state.record.proof["timing_cache"] = "used"; }

bool is_empty_timing_cache(const nvinfer1::IBuilderConfig& config, std::span<const std::byte> blob) {
  const std::unique_ptr<nvinfer1::ITimingCache> fresh(config.createTimingCache(nullptr, 0));
  const std::unique_ptr<nvinfer1::IHostMemory> empty(fresh ? fresh->serialize() : nullptr);
  if (!empty) return blob.empty();
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(empty->data()), empty->size());
  return std::equal(bytes.begin(), bytes.end(), blob.begin(), blob.end());
}

bool stage_timing_cache(CompileState& state, const std::filesystem::path& path) {
  const std::vector<std::byte> blob = find_timing_cache(state);
  if (blob.empty()) return false;
  const Status written = write_new(path, blob);
  if (!written.ok()) warn(state, "the timing cache is not used: " + written.error().message, "not used");
  return written.ok();
}

void judge_timing_cache(CompileState& state, std::string_view log) {
  // TensorRT's own words, trtexec's, and Polygraphy's.
  for (const std::string_view refusal : {"Failed to deserialize timing cache", "Could not read timing cache",
                                         "falling back to empty timing cache"}) {
    if (log.find(refusal) != std::string_view::npos) return note_timing_cache_refused(state);
  }
  note_timing_cache_used(state);
}

Status keep_timing_cache(CompileState& state, std::span<const std::byte> blob) {
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(state.parsed.builder->createBuilderConfig());
  if (!config)
    state.progress.step(
        "warning: the timing cache is not kept: TensorRT gives no configuration to judge it by");
  if (blob.empty() || !config || is_empty_timing_cache(*config, blob)) return {};
  return write_new(state.timing_cache_path(), encode_timing_cache(blob, key_of(state)));
}

Status keep_timing_cache(CompileState& state, const std::filesystem::path& path) {
  const auto blob = compile::read_file(path, kMaxCacheBytes, Reason::kNotFound);
  if (!blob.ok()) return {};
  return keep_timing_cache(state, *blob);
}

}  // namespace skua::tensorrt
