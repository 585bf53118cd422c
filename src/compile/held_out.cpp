#include "compile/held_out.h"

#include <array>
#include <cstdio>
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

constexpr std::uint64_t kMaxValueBytes = std::uint64_t{2} << 30U;

std::string value_file(std::size_t number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "sample-%07zu.golden", number);
  return text.data();
}

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

void tell(const std::vector<OutputAccuracy>& outputs, std::map<std::string, std::string>& proof) {
  for (const OutputAccuracy& output : outputs) {
    const std::string head = "accuracy." + output.name + ".";
    proof[head + "relative_l2"] = print_double(output.relative_l2);
    proof[head + "relative_error"] = print_double(output.relative_error);
    proof[head + "cosine"] = print_double(output.cosine);
    proof[head + "mismatched"] = print_double(output.mismatched);
    proof[head + "agreement"] = print_double(output.agreement);
    proof[head + "compared"] = std::to_string(output.compared);
  }
}

Result<GoldenVectors> read_values(const std::filesystem::path& path) {
  SKUA_ASSIGN_OR_RETURN(const auto bytes, read_file(path, kMaxValueBytes, Reason::kReferenceUnavailable));
  return decode_golden(bytes);
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

}  // namespace

bool is_judged(Precision precision) noexcept {
  return precision == Precision::kInt8 || precision == Precision::kMixed;
}

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
  if (request.build.accuracy_dataset) {
    SKUA_ASSIGN_OR_RETURN(samples.judging, open_set(*request.build.accuracy_dataset, progress));
  } else if (precision == Precision::kInt8) {
    SKUA_ASSIGN_OR_RETURN(calibration::Split split, calibration::split(samples.calibrating.set));
    samples.calibrating.files = std::move(split.calibrating);
    samples.judging.files = std::move(split.judging);
  }
  if (precision == Precision::kMixed) samples.calibrating.files.clear();
  remove_copies(samples.judging.files);
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

Status write_values(const Compilation& compilation, const Samples& samples, Execution& execution,
                    CompileProgress& progress) {
  const EngineRecord& record = compilation.record;
  SKUA_ASSIGN_OR_RETURN(const auto reader, reader_of(samples, record));
  SKUA_ASSIGN_OR_RETURN(const auto staging, posix_file_system().open_folder(compilation.request.staging_dir));
  for (std::size_t i = 0; i < samples.files.size(); ++i) {
    progress.step("running the float32 source: sample " + of_all(i + 1, samples.files.size()));
    const calibration::DataSetFile& sample = samples.files[i];
    SKUA_ASSIGN_OR_RETURN(const TensorMap inputs, read_sample(record, reader, sample));
    SKUA_ASSIGN_OR_RETURN(const TensorMap outputs, outputs_of(record, inputs, execution, sample.name));
    SKUA_ASSIGN_OR_RETURN(const auto bytes, encode_golden(inputs, outputs));
    SKUA_ASSIGN_OR_RETURN(const auto file, staging->create(value_file(i)));
    SKUA_RETURN_IF_ERROR(file->write(bytes));
  }
  return {};
}

Status judge_accuracy(Compilation& compilation, const Samples& samples, const std::filesystem::path& folder,
                      Execution& execution, CompileProgress& progress) {
  EngineRecord& record = compilation.record;
  const std::size_t count = samples.files.size();
  AccuracyJudge judge(record.outputs);
  for (std::size_t i = 0; i < count; ++i) {
    progress.step("comparing with float32: sample " + of_all(i + 1, count));
    SKUA_ASSIGN_OR_RETURN(const GoldenVectors values, read_values(folder / value_file(i)));
    SKUA_ASSIGN_OR_RETURN(const TensorMap found,
                          outputs_of(record, values.inputs, execution, samples.files[i].name));
    judge.add(values.outputs, found);
  }
  const std::vector<OutputAccuracy> outputs = judge.finish();
  tell(outputs, record.proof);
  record.proof["accuracy.samples"] = std::to_string(count);
  record.proof[kJudgedBy] = samples.set.digest.hex();
  return check_accuracy(outputs, compilation.request.build.accuracy);
}

}  // namespace skua::compile
