#include "calibration/sample_reader.h"

#include <algorithm>
#include <map>
#include <new>

#include "calibration/npz.h"
#include "calibration/sample_check.h"

namespace skua::calibration {
namespace {

/// The bytes that were hashed, of a file that is not larger than a sample may be.
Result<std::vector<std::byte>> bytes_of(Folder& folder, const DataSetFile& file, std::uint64_t limit) {
  if (file.size_bytes > limit) {
    return malformed(file.name, "at most " + std::to_string(limit) + " bytes",
                     std::to_string(file.size_bytes));
  }
  try {
    return read_data_file(folder, file);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                      "data set, " + file.name + ": reading it needs " + std::to_string(file.size_bytes) +
                          " bytes of memory, which are not there");
  }
}

/// preprocess.yaml for the network's one input.
Result<ImageSamples> open_images(Folder& folder, const DataSet& set, const std::vector<TensorSpec>& inputs) {
  if (inputs.size() != 1) {
    return malformed(std::string(kPreprocessName), "a network with one input, which images can become",
                     std::to_string(inputs.size()) + " inputs", "give .npz samples for such a network");
  }
  if (set.others.size() != 1) {
    return malformed(std::string(kPreprocessName), "how an image becomes an input", "no such file",
                     "write one beside the images");
  }
  SKUA_ASSIGN_OR_RETURN(const auto bytes, bytes_of(folder, set.others[0], kMaxPreprocessBytes));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SKUA_ASSIGN_OR_RETURN(const Preprocess preprocess, parse_preprocess(text));
  return ImageSamples::create(preprocess, inputs[0]);
}

}  // namespace

Result<SampleReader> SampleReader::open(Folder& folder, const DataSet& set, std::vector<TensorSpec> inputs) {
  std::optional<ImageSamples> images;
  if (set.kind == SampleKind::kImage) {
    SKUA_ASSIGN_OR_RETURN(images, open_images(folder, set, inputs));
  }
  return SampleReader(folder, std::move(inputs), std::move(images));
}

Result<TensorMap> SampleReader::read(const DataSetFile& sample) const {
  SKUA_ASSIGN_OR_RETURN(const auto bytes,
                        bytes_of(*folder_, sample, images_ ? kMaxImageFileBytes : kMaxSampleBytes));
  if (!images_) return decode_npz(bytes, inputs_, sample.name);
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, images_->decode(bytes, sample.name));
  TensorMap result;
  SKUA_RETURN_IF_ERROR(result.insert(inputs_[0].name, std::move(tensor)));
  return result;
}

Result<Split> split(const DataSet& set) {
  std::map<std::array<std::uint8_t, 32>, std::size_t> contents;  // in which place each one stands first
  for (const DataSetFile& file : set.samples) contents.try_emplace(file.sha256.bytes, contents.size());
  if (contents.size() < 2) {
    return malformed("the folder",
                     "at least 2 samples that differ, one to calibrate with and one to judge with",
                     std::to_string(contents.size()), "give more samples");
  }
  const std::size_t every = std::min(kHeldOutEvery, contents.size());
  Split result;
  for (const DataSetFile& file : set.samples) {
    const bool is_held_out = contents.at(file.sha256.bytes) % every == every - 1;
    (is_held_out ? result.judging : result.calibrating).push_back(file);
  }
  return result;
}

}  // namespace skua::calibration
