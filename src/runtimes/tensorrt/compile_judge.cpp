// The steps of int8 and mixed around the build: the samples, where the ranges come from, and what is kept of
// them for the next build. The build process only reads in the engine cache; compile_model publishes.
#include <optional>
#include <utility>

#include "calibration/cache_files.h"
#include "calibration/cache_origin.h"
#include "compile/graph_precision.h"
#include "compile/precision_stamp.h"
#include "core/filesystem.h"
#include "core/hash.h"
#include "inference/kept_calibration.h"
#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {
namespace {

namespace fs = std::filesystem;
using compile::build_error;

/// The samples that calibrate, in the order of the data set, as the inputs of the network.
class DataSetSamples final : public calibration::CalibrationSamples {
 public:
  /// All of them must outlive it; the network is known when the first sample is asked for.
  DataSetSamples(const compile::Samples& samples, const ModelTensors& network,
                 const std::vector<OptimizationProfile>& profiles)
      : samples_(samples), network_(network), profiles_(profiles) {}
  std::size_t count() const override { return samples_.files.size(); }
  Result<TensorMap> next() override {
    if (!reader_) {
      SKUA_ASSIGN_OR_RETURN(reader_,
                            calibration::SampleReader::open(*samples_.folder, samples_.set, inputs()));
    }
    return reader_->read(samples_.files.at(next_++));
  }

 private:
  /// TensorRT calibrates at one size of each input: the profile's opt.
  std::vector<TensorSpec> inputs() const {
    std::vector<TensorSpec> specs;
    for (const ModelTensor& input : network_.inputs) {
      specs.push_back(input.spec);
      for (const OptimizationProfile& profile : profiles_) {
        if (profile.input_name == input.spec.name) specs.back().shape = profile.opt;
      }
    }
    return specs;
  }

  const compile::Samples& samples_;
  const ModelTensors& network_;
  const std::vector<OptimizationProfile>& profiles_;
  std::optional<calibration::SampleReader> reader_;
  std::size_t next_ = 0;
};

calibration::Expectation expectation_of(const CompileState& state) {
  calibration::Expectation expected;
  expected.dataset_sha256 = state.samples->calibrating.set.digest;
  expected.sample_count = state.samples->calibrating.files.size();
  expected.model_sha256 = state.record.model_sha256;
  expected.algorithm = state.calibration.algorithm;
  expected.library_version = static_cast<std::uint32_t>(kCompiledVersion);
  expected.producers.emplace_back(calibration::kTensorRtProducer);
  if (state.request.build.allow_cpu_ranges) expected.producers.emplace_back(calibration::kCpuProducer);
  return expected;
}

Error cannot_use(const std::string& why) {
  return make_error(ErrorCode::kCalibrationCache, Reason::kCalibrationMismatch,
                    why +
                        "; it was given by name, so that nothing is calibrated in its place: give the one "
                        "that fits, or leave calibration_cache out");
}

/// One that the user has brought: its origin lies beside it.
Status take_given_cache(CompileState& state, const fs::path& given) {
  const std::string name = given.filename().string();
  const std::string suffix(calibration::kCacheSuffix);
  if (!name.ends_with(suffix)) return cannot_use(given.string() + ": expected a name that ends in " + suffix);
  auto folder = posix_file_system().open_folder(given.has_parent_path() ? given.parent_path() : ".");
  if (!folder.ok()) return cannot_use(given.string() + ": " + folder.error().message);
  const auto text =
      read_text(**folder, name + std::string(calibration::kOriginSuffix), calibration::kMaxOriginBytes);
  if (!text.ok()) return cannot_use(given.string() + ": its origin cannot be read: " + text.error().message);
  auto decoded = calibration::decode_cache_origin(*text);
  if (!decoded.ok()) return cannot_use(given.string() + ": its origin: " + decoded.error().message);
  const calibration::CacheOrigin origin = *std::move(decoded);
  if (origin.library_version != static_cast<std::uint32_t>(kCompiledVersion))
    return cannot_use(given.string() + ": its origin names TensorRT " +
                      std::to_string(origin.library_version) + ", expected " +
                      std::to_string(kCompiledVersion));
  SKUA_ASSIGN_OR_RETURN(
      calibration::JudgedCache judged,
      calibration::judge_cache(**folder, name.substr(0, name.size() - suffix.size()),
                               calibration::RecordedOrigin{origin.model_sha256, origin.calibration},
                               expectation_of(state)));
  if (judged.verdict != calibration::Verdict::kReuse) return cannot_use(judged.why);
  state.calibration.cache = std::move(judged.text);
  state.record.calibration = origin.calibration;
  state.record.proof[kCalibrationWhy] = judged.why;
  return {};
}

/// One of an earlier build lies beside the engine; its record says what it was made from.
Status take_kept_cache(CompileState& state) {
  const std::string& artifact = state.request.artifact_name;
  auto folder = posix_file_system().open_folder(state.request.config.engine_cache_dir);
  if (!folder.ok()) return compile::build_error(folder.error().reason, folder.error().message);
  SKUA_ASSIGN_OR_RETURN(const auto recorded, recorded_calibration(**folder, artifact));
  SKUA_ASSIGN_OR_RETURN(
      calibration::JudgedCache judged,
      calibration::judge_cache(**folder, calibration::stem_of(artifact), recorded, expectation_of(state)));
  state.record.proof[kCalibrationWhy] = judged.why;
  if (judged.verdict != calibration::Verdict::kReuse) return {};
  state.calibration.cache = std::move(judged.text);
  state.record.calibration = recorded->calibration;
  return {};
}

/// A float32 graph, whose ranges TensorRT measures, unless a cache has them.
Status settle_measured(CompileState& state) {
  const BuildConfig& build = state.request.build;
  state.calibration.algorithm = build.calibration_algorithm == "minmax" ? calibration::Algorithm::kMinMax
                                                                        : calibration::Algorithm::kEntropy2;
  SKUA_RETURN_IF_ERROR(build.calibration_cache ? take_given_cache(state, *build.calibration_cache)
                                               : take_kept_cache(state));
  if (!state.calibration.cache)
    state.calibration.samples = std::make_unique<DataSetSamples>(state.samples->calibrating, state.contract,
                                                                 state.request.build.optimization_profiles);
  return {};
}

}  // namespace

Status settle_ranges(CompileState& state) {
  const Precision precision = state.request.build.precision;
  if (!is_judged(precision) || !state.request.build.calibration_dataset) return {};
  SKUA_ASSIGN_OR_RETURN(state.samples, compile::open_samples(state.request, precision, state.progress));
  if (compile::is_quantised(state.source) || compile::is_half(state.source)) {
    SKUA_ASSIGN_OR_RETURN(state.stamp, compile::settle_stamp(state, state.source, *state.samples));
    return {};
  }
  if (state.request.build.fp32_source) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "fp32_source: expected it for a model that was made from another one; this model is "
                      "float32 itself, and is what the plan is compared with: leave the field out");
  }
  if (precision == Precision::kInt8) return settle_measured(state);
  state.record.calibration =
      CalibrationProvenance{state.samples->calibrating.set.digest, 0, state.record.model_sha256, "none",
                            std::string(calibration::kTensorRtProducer)};
  return {};
}

Status keep_ranges(CompileState& state) {
  if (!state.calibration.used || !state.samples) return {};
  const std::string& text = *state.calibration.used;
  const Sha256 digest = sha256_of(std::as_bytes(std::span(text)));
  const bool is_measured = !state.record.calibration;
  if (is_measured) {
    state.record.calibration =
        CalibrationProvenance{state.samples->calibrating.set.digest, state.samples->calibrating.files.size(),
                              digest, std::string(calibration::to_string(state.calibration.algorithm)),
                              std::string(calibration::kTensorRtProducer)};
  } else if (state.record.calibration->cache_sha256 != digest) {
    return build_error(Reason::kInternal, "the builder used another calibration cache than it was given");
  }
  // One that lies beside the engine already stays as it is.
  if (!is_measured && !state.request.build.calibration_cache) return {};
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file,
                        folder->create(state.request.artifact_name + std::string(calibration::kCacheSuffix)));
  return file->write(std::as_bytes(std::span(text)));
}

}  // namespace skua::tensorrt
