// Provisioning with a compiler that writes a few bytes instead of an engine; cache, sets and gates are the
// real ones.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>

#include "bootstrap/provision.h"
#include "bootstrap/published_sets.h"
#include "bootstrap/verify_set.h"
#include "cache/engine_verify.h"
#include "cache/golden.h"
#include "cache/publish.h"
#include "cache/set_gate.h"
#include "temp_folder.h"

namespace skua::test {

namespace fs = std::filesystem;

class Provisioning : public ::testing::Test {
 protected:
  Provisioning() {
    fs::create_directories(folder_.path() / "cache");
    fs::create_directories(sets());
    for (const char* name : {"a.onnx", "b.onnx"}) folder_.write(name, std::string("model ") + name);
    context_.compile.config.engine_cache_dir = folder_.path() / "cache";
    context_.compile.config.runtime = "onnx_trt_ep";
    context_.compile.config.execution_provider = "cpu";
    context_.compile.host.cpu_arch = "x86_64";
    context_.compile.cancel_requested = &cancelled_;
    context_.sets_dir = sets();
    context_.clock = &clock_;
    context_.ports.difference = [this](const auto& model, const auto&, const auto&, const auto& record,
                                       ReuseFacts& facts) { return difference(model, record, facts); };
    context_.ports.find_reusable = [this](const auto& model, const auto& build, const auto&, ReuseFacts&,
                                          std::string& why) { return find(model, build, why); };
    context_.ports.compile = [this](const auto& model, const auto& build, const auto&) {
      return compile(model, build);
    };
  }

  fs::path sets() const { return folder_.path() / "sets"; }
  fs::path current() const { return current_set(posix_file_system(), sets()).value(); }
  Result<ProvisionReport> run() { return provision(spec_, context_); }
  Result<ProvisionReport> run_on(FileSystem& disk) {
    context_.compile.files = &disk;
    auto report = run();
    context_.compile.files = &posix_file_system();
    return report;
  }

  static NetworkSpec network(const fs::path& folder, const std::string& name, std::uint64_t criticality) {
    NetworkSpec network;
    network.name = name;
    network.sources["onnx"] = folder / (name + ".onnx");
    network.build.precision = Precision::kFp32;
    network.build.model_name = name;
    network.criticality = criticality;
    return network;
  }

  /// Every file below the sets with its bytes: what "untouched" means.
  std::map<std::string, std::string> tree() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(sets())) {
      if (!entry.is_regular_file()) continue;
      const std::string name = fs::relative(entry.path(), folder_.path()).string();
      files[name] = folder_.read(name);
    }
    return files;
  }

  static EngineRecord record_of(const fs::path& model, const BuildConfig& build) {
    const Shape shape{1};
    EngineRecord record;
    record.model = *build.model_name;
    record.file = record.model + "__sm0_jp0_trt0_fp32.onnx";
    record.runtime_label = "onnx_trt_ep";
    record.host.cpu_arch = "x86_64";
    record.precision = build.precision;
    record.inputs = {{"x", DType::kFloat32, shape, shape, false}};
    record.outputs = {{"y", DType::kFloat32, shape, shape, false}};
    record.options = {{"device", "cpu"}};
    record.arithmetic = "fp32";
    record.sources = {{model.filename().string(), Sha256{}, 1}};
    record.golden.file = record.file + ".golden";
    record.golden.origin = "test";
    record.golden.tolerances = {{"y", Tolerance{}}};
    record.builder = "skua test";
    record.created = "2026-01-01T00:00:00Z";
    return record;
  }

  Result<EngineRecord> compile(const fs::path& model, const BuildConfig& build) {
    ++compiled_;
    if (cancel_while_compiling_) cancelled_ = true;
    if (*build.model_name == fail_) {
      return make_error(ErrorCode::kEngineBuild, Reason::kModelMalformed, model.string() + " is damaged");
    }
    EngineRecord record = record_of(model, build);
    SKUA_ASSIGN_OR_RETURN(WriterLock cache,
                          WriterLock::take(posix_file_system(), context_.compile.config.engine_cache_dir));
    SKUA_ASSIGN_OR_RETURN(const std::string staging, cache.make_staging());
    TensorMap inputs, outputs;
    SKUA_RETURN_IF_ERROR(inputs.insert("x", Tensor::allocate(DType::kFloat32, Shape{1}).value()));
    SKUA_RETURN_IF_ERROR(outputs.insert("y", Tensor::allocate(DType::kFloat32, Shape{1}).value()));
    SKUA_ASSIGN_OR_RETURN(const auto golden, encode_golden(inputs, outputs));
    const std::string golden_text(reinterpret_cast<const char*>(golden.data()), golden.size());
    folder_.write("cache/" + staging + "/" + record.file, folder_.read(model.filename()));
    folder_.write("cache/" + staging + "/" + record.golden.file, golden_text);
    auto published = publish_engine(cache, staging, std::move(record));
    cache.discard(staging);
    return published;
  }

  /// This compiler's engines are their models' bytes.
  static Result<std::string> difference(const fs::path& model, const EngineRecord& record,
                                        ReuseFacts& facts) {
    SKUA_ASSIGN_OR_RETURN(const Sha256 digest, facts.sources.digest_of(posix_file_system(), model));
    return std::string(digest == record.engine_sha256 ? "" : "the model changed");
  }

  Result<std::optional<EngineRecord>> find(const fs::path& model, const BuildConfig& build,
                                           std::string& why) {
    SKUA_ASSIGN_OR_RETURN(auto cache,
                          posix_file_system().open_folder(context_.compile.config.engine_cache_dir));
    const std::string file = record_of(model, build).file;
    auto record = read_build_record(*cache, file);
    const bool is_same = record.ok() && folder_.read("cache/" + file) == folder_.read(model.filename());
    if (is_same) return std::optional(*std::move(record));
    why = "not compiled yet";
    return std::optional<EngineRecord>();
  }

  /// Files that were written a moment ago are an hour old by this clock.
  class LaterClock final : public Clock {
   public:
    std::int64_t monotonic_ns() const noexcept override { return system_clock().monotonic_ns(); }
    std::int64_t utc_us() const noexcept override { return system_clock().utc_us() + 3600'000'000; }
  };

  test::TempFolder folder_;
  LaterClock clock_;
  std::atomic<bool> cancelled_{false};
  bool cancel_while_compiling_ = false;
  std::string fail_;
  int compiled_ = 0;
  ProvisionContext context_;
  SetSpec spec_ = {folder_.path() / "SET.yaml",
                   "onnx_trt_ep",
                   {},
                   {},
                   {},
                   {},
                   {network(folder_.path(), "a", 1), network(folder_.path(), "b", 0)},
                   {}};
};

}  // namespace skua::test
