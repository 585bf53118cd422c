// The steps of int8 and mixed around the build: the samples, where the ranges come from, and what is kept of
// them for the next build. The build process only reads in the engine cache; compile_model publishes.
#include <algorithm>
#include <utility>

#include "cache/engine_verify.h"
#include "calibration/cache_files.h"
#include "calibration/cache_origin.h"
#include "compile/graph_precision.h"
#include "compile/precision_stamp.h"
#include "compile/source_file.h"
#include "core/filesystem.h"
#include "core/hash.h"
#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {
namespace {

namespace fs = std::filesystem;
using compile::build_error;

/// The samples that calibrate, in the order of the data set, as the inputs of the network.
class DataSetSamples final : public calibration::CalibrationSamples {
 public:
  /// Both must outlive it; the network is known when the first sample is asked for.
  DataSetSamples(const compile::Samples& samples, const ModelTensors& network)
      : samples_(samples), network_(network) {}
  std::size_t count() const override { return samples_.files.size(); }
  Result<TensorMap> next() override {
    if (!reader_) {
      std::vector<TensorSpec> inputs;
      for (const ModelTensor& input : network_.inputs) inputs.push_back(input.spec);
      SKUA_ASSIGN_OR_RETURN(
          reader_, calibration::SampleReader::open(*samples_.folder, samples_.set, std::move(inputs)));
    }
    return reader_->read(samples_.files.at(next_++));
  }

 private:
  const compile::Samples& samples_;
  const ModelTensors& network_;
  std::optional<calibration::SampleReader> reader_;
  std::size_t next_ = 0;
};

bool is_typed(const OnnxModel& source) {
  const auto nodes = all_nodes(source);
  const auto tensors = all_tensors(source);
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const OnnxNode* node) { return compile::is_quantised(*node); }) ||
         std::any_of(tensors.begin(), tensors.end(),
                     [](const OnnxTensor* tensor) { return tensor->type == kOnnxHalf; });
}

/// A graph that was made from another one says so itself, and is compared with that one.
Status settle_typed(CompileState& state) {
  const Precision precision = state.request.build.precision;
  SKUA_ASSIGN_OR_RETURN(state.stamp, compile::stamp_of(state.source));
  const Sha256& data_set = state.samples->calibrating.set.digest;
  SKUA_RETURN_IF_ERROR(compile::check_stamp(state.stamp, precision, data_set));
  if (!state.request.build.fp32_source) {
    return build_error(Reason::kReferenceUnavailable,
                       "precision " + std::string(to_string(precision)) +
                           ": expected fp32_source, the float32 network that the model was made from, found "
                           "none; the plan is compared with it");
  }
  state.record.calibration =
      CalibrationProvenance{data_set, state.stamp->sample_count, state.record.model_sha256,
                            state.stamp->algorithm, state.stamp->producer};
  return {};
}

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
  SKUA_ASSIGN_OR_RETURN(const calibration::CacheOrigin origin, calibration::decode_cache_origin(*text));
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
  std::optional<calibration::RecordedOrigin> recorded;
  const auto record = read_build_record(**folder, artifact);
  if (record.ok() && record->calibration)
    recorded = calibration::RecordedOrigin{record->model_sha256, *record->calibration};
  SKUA_ASSIGN_OR_RETURN(calibration::JudgedCache judged,
                        calibration::judge_cache(**folder, artifact.substr(0, artifact.rfind('.')), recorded,
                                                 expectation_of(state)));
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
    state.calibration.samples = std::make_unique<DataSetSamples>(state.samples->calibrating, state.contract);
  return {};
}

}  // namespace

Status settle_ranges(CompileState& state) {
  const Precision precision = state.request.build.precision;
  if (!compile::is_judged(precision) || !state.request.build.calibration_dataset) return {};
  SKUA_ASSIGN_OR_RETURN(state.samples, compile::open_samples(state.request, precision, state.progress));
  if (is_typed(state.source)) return settle_typed(state);
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
