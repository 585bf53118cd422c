#include "cli/quantize_samples.h"

#include <span>

#include "calibration/npz.h"
#include "calibration/sample_reader.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "onnx/model_tensors.h"

namespace skua {
namespace {

constexpr std::size_t kMaxModelBytes = std::size_t{1} << 31U;  // one protobuf file holds no more

Error in_model(const std::filesystem::path& model, const Error& cause) {
  return make_error(ErrorCode::kEngineBuild, cause.reason, "model " + model.string() + ": " + cause.message,
                    cause.native_code);
}

Result<std::vector<TensorSpec>> inputs_of(const SampleConversion& conversion) {
  const auto folder = conversion.files->open_folder(conversion.model.parent_path());
  const auto text = folder.ok() ? read_text(**folder, conversion.model.filename().string(), kMaxModelBytes)
                                : Result<std::string>(folder.error());
  if (!text.ok()) return in_model(conversion.model, text.error());
  const auto model = parse_onnx(std::as_bytes(std::span(*text)));
  if (!model.ok()) return in_model(conversion.model, model.error());
  std::vector<TensorSpec> inputs;
  for (const OnnxValue& value : model->graph.inputs) {
    auto input = input_of(value);
    if (!input.ok()) return in_model(conversion.model, input.error());
    inputs.push_back(std::move(input->spec));
  }
  return inputs;
}

/// Not synced: nobody reads it after this run.
Status write_staged(Folder& staging, const std::string& name, std::span<const std::byte> bytes) {
  SKUA_ASSIGN_OR_RETURN(const auto file, staging.create(name));
  return file->write(bytes);
}

Result<Json> convert(const SampleConversion& conversion, const calibration::SampleReader& reader,
                     const calibration::DataSetFile& image, std::size_t number) {
  SKUA_ASSIGN_OR_RETURN(const TensorMap arrays, reader.read(image));
  SKUA_ASSIGN_OR_RETURN(const std::string archive, calibration::encode_npz(arrays));
  const auto bytes = std::as_bytes(std::span(archive));
  const std::string name = "sample-" + std::to_string(number) + ".npz";
  SKUA_RETURN_IF_ERROR(write_staged(*conversion.staging, name, bytes));
  return Json{(conversion.staging->path() / name).string(), sha256_of(bytes).hex(), image.sha256.hex(),
              (conversion.data->path() / image.name).string()};
}

Result<Json> convert_all(const SampleConversion& conversion, const calibration::DataSet& set) {
  SKUA_ASSIGN_OR_RETURN(auto inputs, inputs_of(conversion));
  SKUA_ASSIGN_OR_RETURN(const auto reader,
                        calibration::SampleReader::open(*conversion.data, set, std::move(inputs)));
  Json samples = Json::array();
  for (const calibration::DataSetFile& image : set.samples) {
    if (conversion.cancel_requested != nullptr && conversion.cancel_requested->load()) {
      return make_error(ErrorCode::kEngineBuild, Reason::kCancelled,
                        "the operator cancelled while images were read; nothing was written");
    }
    SKUA_ASSIGN_OR_RETURN(Json sample, convert(conversion, reader, image, samples.size() + 1));
    samples.push_back(std::move(sample));
    if (!conversion.on_progress) continue;
    conversion.on_progress("reading images: " + std::to_string(samples.size()) + " of " +
                           std::to_string(set.samples.size()));
  }
  return samples;
}

}  // namespace

Result<Json> samples_for_tool(const SampleConversion& conversion, const calibration::DataSet& set) {
  if (set.kind == calibration::SampleKind::kImage) return convert_all(conversion, set);
  Json samples = Json::array();
  for (const calibration::DataSetFile& file : set.samples) {
    samples.push_back({(conversion.data->path() / file.name).string(), file.sha256.hex()});
  }
  return samples;
}

}  // namespace skua
