// The samples that an int8 or mixed build is calibrated with and judged by, and what its float32 source makes
// of the latter. The source runs in a build of its own (reference.h), which leaves its outputs in files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "calibration/data_set.h"
#include "calibration/sample_reader.h"
#include "compile/compilation.h"
#include "inference/strategy.h"

namespace skua::compile {

/// Some samples of a data set, as they were hashed.
struct Samples {
  std::shared_ptr<Folder> folder;
  calibration::DataSet set;
  std::vector<calibration::DataSetFile> files;
};

struct BuildSamples {
  Samples calibrating;  ///< no files for mixed, which is not calibrated
  Samples judging;      ///< of the same set, or of accuracy_dataset: no content that calibrates
};

/// Reads the request's data sets, and divides the one that has to serve for both, for a build of `precision`.
/// EngineBuildError: calibration::read_data_set's and split's.
Result<BuildSamples> open_samples(const CompileRequest& request, Precision precision,
                                  CompileProgress& progress);

/// A reader of `samples`, which must outlive it, as the record's inputs.
Result<calibration::SampleReader> reader_of(const Samples& samples, const EngineRecord& record);

/// One sample within the record's profiles. EngineBuildError naming the file.
Result<TensorMap> read_sample(const EngineRecord& record, const calibration::SampleReader& reader,
                              const calibration::DataSetFile& sample);

/// Of a reference build: runs the samples that judge, and writes the outputs of each into a file of the
/// staging folder; the proof says how many, and of which data set. EngineBuildError: too_large, when these
/// files would be larger than kMaxValueBytes together.
Status write_values(Compilation& compilation, const Samples& samples, Execution& execution,
                    CompileProgress& progress);
inline constexpr std::uint64_t kMaxValueBytes = std::uint64_t{8} << 30U;

/// Runs the artifact on the same samples, compares with the files that `reference` has left in `folder`,
/// which go, and puts the figures into the proof. EngineBuildError: data_set_changed (the reference has run
/// other samples), contract_mismatch (the two networks take or give other tensors), accuracy_too_low, or the
/// reason of a failed run.
Status judge_accuracy(Compilation& compilation, const Samples& samples, const EngineRecord& reference,
                      const std::filesystem::path& folder, Execution& execution, CompileProgress& progress);

}  // namespace skua::compile
