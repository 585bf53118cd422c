#include "compile/held_out.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "cache/staged_copy.h"
#include "compile/accuracy.h"
#include "compile/golden_steps.h"
#include "compile/source_file.h"
#include "core/profile_check.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr const char* kSampleCount = "accuracy.samples";

std::string value_file(std::size_t number) { return "sample-" + std::to_string(number) + ".golden"; }

std::string of_all(std::size_t number, std::size_t count) {
  return std::to_string(number) + " of " + std::to_string(count);
}

Result<TensorMap> outputs_of(const EngineRecord& record, const TensorMap& inputs, Execution& execution,
                             const std::string& sample) {
  SKUA_RETURN_IF_ERROR(feed(record, inputs, execution));
  if (Status ran = execution.run(std::nullopt); !ran.ok())
    return build_error(ran.error().reason,
                       record.file + ": the run on " + sample + " failed: " + ran.error().describe());
  TensorMap outputs;
  for (std::size_t i = 0; i < record.outputs.size(); ++i)
    SKUA_RETURN_IF_ERROR(keep_copy(outputs, record.outputs[i].name, execution.output(i)));
  return outputs;
}

std::string text_of(const OutputAccuracy& output) {
  return "relative_l2 " + print_double(output.relative_l2) + ", relative_error " +
         print_double(output.relative_error) + ", cosine " + print_double(output.cosine) + ", mismatched " +
         print_double(output.mismatched) + ", agreement " + print_double(output.agreement) + ", compared " +
         std::to_string(output.compared);
}

Error other_contract(const std::string& what, const std::string& expected, const std::string& found) {
  return build_error(Reason::kContractMismatch, "the float32 source, " + what + ": expected " + expected +
                                                    ", as the artifact has them, found " + found +
                                                    "; give the network that the artifact was made from");
}

std::string names_of(const std::vector<TensorSpec>& tensors, bool with_types) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors)
    names.push_back(quote(tensor.name) + (with_types ? " " + std::string(to_string(tensor.dtype)) : ""));
  std::sort(names.begin(), names.end());
  return join(names);
}

/// Both are fed with the same tensors, and every output of both is compared.
Status check_same_contract(const EngineRecord& artifact, const EngineRecord& source) {
  const auto inputs = std::pair(names_of(artifact.inputs, true), names_of(source.inputs, true));
  if (inputs.first != inputs.second) return other_contract("inputs", inputs.first, inputs.second);
  const auto outputs = std::pair(names_of(artifact.outputs, false), names_of(source.outputs, false));
  if (outputs.first != outputs.second) return other_contract("outputs", outputs.first, outputs.second);
  return {};
}

std::string proof_of(const EngineRecord& record, const std::string& key) {
  const auto found = record.proof.find(key);
  return found == record.proof.end() ? std::string() : found->second;
}

/// The reference has listed and hashed the samples by itself.
Status check_same_samples(const Samples& samples, const EngineRecord& reference) {
  const bool is_same = proof_of(reference, kJudgedBy) == samples.set.digest.hex() &&
                       proof_of(reference, kSampleCount) == std::to_string(samples.files.size());
  if (is_same) return {};
  return build_error(Reason::kDataSetChanged,
                     "data set, " + samples.folder->path().string() +
                         ": expected one content for the whole build, found another when the float32 source "
                         "was run; let nobody write to it, and compile again");
}

Result<TensorMap> take_values(const std::filesystem::path& path) {
  SKUA_ASSIGN_OR_RETURN(const auto bytes, read_file(path, kMaxValueBytes, Reason::kReferenceUnavailable));
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  SKUA_ASSIGN_OR_RETURN(GoldenVectors values, decode_golden(bytes));
  return std::move(values.outputs);
}

Result<Samples> open_set(const std::filesystem::path& path, CompileProgress& progress) {
  auto folder = posix_file_system().open_folder(path);
  if (!folder.ok()) return as_build_error(folder.error(), "cannot read data set " + path.string());
  Samples samples;
  samples.folder = *std::move(folder);
  calibration::DataSetOptions options;
  options.on_progress = [&progress](std::size_t done, std::size_t all) {
    progress.step("hashing the data set: file " + of_all(done, all));
  };
  SKUA_ASSIGN_OR_RETURN(samples.set, calibration::read_data_set(*samples.folder, options));
  samples.files = samples.set.samples;
  return samples;
}

/// Of one content the first file judges.
void remove_copies(std::vector<calibration::DataSetFile>& files) {
  std::set<std::string> known;
  std::erase_if(files, [&known](const calibration::DataSetFile& file) {
    return !known.insert(file.sha256.hex()).second;
  });
}

Status refuse_overlap(const BuildSamples& samples) {
  std::set<std::string> calibrating;
  for (const calibration::DataSetFile& file : samples.calibrating.files)
    calibrating.insert(file.sha256.hex());
  for (const calibration::DataSetFile& file : samples.judging.files) {
    if (calibrating.count(file.sha256.hex()) == 0) continue;
    return build_error(Reason::kDataSetMalformed,
                       "data set, " + samples.judging.folder->path().string() + ": " + quote(file.name) +
                           ": expected samples that calibrate nothing, found one that calibrates; judge by "
                           "others");
  }
  return {};
}

}  // namespace

Result<BuildSamples> open_samples(const CompileRequest& request, Precision precision,
                                  CompileProgress& progress) {
  if (!request.build.calibration_dataset) {
    return build_error(Reason::kInvalidArgument, "precision " + std::string(to_string(precision)) +
                                                     ": expected calibration_dataset, whose samples judge "
                                                     "the artifact, found none");
  }
  BuildSamples samples;
  SKUA_ASSIGN_OR_RETURN(samples.calibrating, open_set(*request.build.calibration_dataset, progress));
  samples.judging = samples.calibrating;
  if (precision == Precision::kInt8) {
    SKUA_ASSIGN_OR_RETURN(calibration::Split split, calibration::split(samples.calibrating.set));
    samples.calibrating.files = std::move(split.calibrating);
    samples.judging.files = std::move(split.judging);
  } else {
    samples.calibrating.files.clear();
  }
  if (request.build.accuracy_dataset) {
    SKUA_ASSIGN_OR_RETURN(samples.judging, open_set(*request.build.accuracy_dataset, progress));
  }
  remove_copies(samples.judging.files);
  SKUA_RETURN_IF_ERROR(refuse_overlap(samples));
  return samples;
}

Result<calibration::SampleReader> reader_of(const Samples& samples, const EngineRecord& record) {
  return calibration::SampleReader::open(*samples.folder, samples.set, record.inputs);
}

Result<TensorMap> read_sample(const EngineRecord& record, const calibration::SampleReader& reader,
                              const calibration::DataSetFile& sample) {
  SKUA_ASSIGN_OR_RETURN(TensorMap inputs, reader.read(sample));
  for (const OptimizationProfile& profile : record.profiles) {
    const Tensor* const input = inputs.find(profile.input_name);
    if (input == nullptr || is_within(profile, input->view().shape)) continue;
    return build_error(Reason::kDataSetMalformed,
                       "data set, " + sample.name + ": expected for input " + quote(profile.input_name) +
                           " a shape from " + profile.min.to_string() + " to " + profile.max.to_string() +
                           ", found " + input->view().shape.to_string());
  }
  return inputs;
}

Status write_values(Compilation& compilation, const Samples& samples, Execution& execution,
                    CompileProgress& progress) {
  EngineRecord& record = compilation.record;
  const std::size_t count = samples.files.size();
  SKUA_ASSIGN_OR_RETURN(const auto reader, reader_of(samples, record));
  SKUA_ASSIGN_OR_RETURN(const auto staging, posix_file_system().open_folder(compilation.request.staging_dir));
  for (std::size_t i = 0; i < count; ++i) {
    progress.step("running the float32 source: sample " + of_all(i + 1, count));
    const calibration::DataSetFile& sample = samples.files[i];
    SKUA_ASSIGN_OR_RETURN(const TensorMap inputs, read_sample(record, reader, sample));
    SKUA_ASSIGN_OR_RETURN(const TensorMap outputs, outputs_of(record, inputs, execution, sample.name));
    SKUA_ASSIGN_OR_RETURN(const auto bytes, encode_golden({}, outputs));
    if (bytes.size() > kMaxValueBytes / count) {
      return build_error(Reason::kTooLarge, "the outputs of " + std::to_string(count) +
                                                " samples that judge: expected at most " +
                                                std::to_string(kMaxValueBytes) + " bytes, found about " +
                                                std::to_string(bytes.size()) +
                                                " for each; judge by fewer (accuracy_dataset)");
    }
    SKUA_ASSIGN_OR_RETURN(const auto file, staging->create(value_file(i)));
    SKUA_RETURN_IF_ERROR(file->write(bytes));
  }
  record.proof[kSampleCount] = std::to_string(count);
  record.proof[kJudgedBy] = samples.set.digest.hex();
  return {};
}

Status judge_accuracy(Compilation& compilation, const Samples& samples, const EngineRecord& reference,
                      const std::filesystem::path& folder, Execution& execution, CompileProgress& progress) {
  EngineRecord& record = compilation.record;
  const std::size_t count = samples.files.size();
  SKUA_RETURN_IF_ERROR(check_same_samples(samples, reference));
  SKUA_RETURN_IF_ERROR(check_same_contract(record, reference));
  SKUA_ASSIGN_OR_RETURN(const auto reader, reader_of(samples, record));
  AccuracyJudge judge(record.outputs);
  for (std::size_t i = 0; i < count; ++i) {
    progress.step("comparing with float32: sample " + of_all(i + 1, count));
    const calibration::DataSetFile& sample = samples.files[i];
    SKUA_ASSIGN_OR_RETURN(const TensorMap inputs, read_sample(record, reader, sample));
    SKUA_ASSIGN_OR_RETURN(const TensorMap found, outputs_of(record, inputs, execution, sample.name));
    SKUA_ASSIGN_OR_RETURN(const TensorMap expected, take_values(folder / value_file(i)));
    judge.add(expected, found);
  }
  const std::vector<OutputAccuracy> outputs = judge.finish();
  for (const OutputAccuracy& output : outputs) record.proof["accuracy." + output.name] = text_of(output);
  record.proof[kSampleCount] = std::to_string(count);
  record.proof[kJudgedBy] = samples.set.digest.hex();
  if (compilation.request.build.fp32_source) {
    for (const SourceFile& file : reference.sources)
      record.proof[kComparedWith + file.name] = file.sha256.hex();
  }
  return check_accuracy(outputs, compilation.request.build.accuracy);
}

}  // namespace skua::compile
