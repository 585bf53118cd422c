// A stand-in for trtexec 10.3, for tests: the options of building alone, over the software-in-the-loop SDK.
// Written from its documentation, in words of its own: it refuses an option or a value that it does not know,
// says RUNNING first and PASSED or FAILED last, and ends with status 0 or 1.
#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// Calibrators are deprecated, and what the tool builds int8 with.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace {

using Options = std::map<std::string, std::string>;

// It calibrates on noise where the cache has no scales that TensorRT takes; this one says what it would do.
class Calibrator final : public nvinfer1::IInt8EntropyCalibrator2 {
 public:
  explicit Calibrator(std::string cache) : cache_(std::move(cache)) {}
  int32_t getBatchSize() const noexcept override { return 1; }
  bool getBatch(void**, char const**, int32_t) noexcept override { return false; }
  void const* readCalibrationCache(std::size_t& length) noexcept override {
    length = cache_.size();
    return cache_.empty() ? nullptr : cache_.data();
  }
  void writeCalibrationCache(void const*, std::size_t) noexcept override {}

 private:
  std::string cache_;
};

class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, char const* text) noexcept override {
    if (severity <= Severity::kINFO)
      std::printf("[%s] %s\n",
                  severity <= Severity::kERROR  ? "E"
                  : severity == Severity::kINFO ? "I"
                                                : "W",
                  text);
  }
};

const std::set<std::string> kValued = {"onnx",
                                       "saveEngine",
                                       "memPoolSize",
                                       "builderOptimizationLevel",
                                       "avgTiming",
                                       "maxAuxStreams",
                                       "profilingVerbosity",
                                       "timingCacheFile",
                                       "tempdir",
                                       "tempfileControls",
                                       "device",
                                       "minShapes",
                                       "optShapes",
                                       "maxShapes",
                                       "precisionConstraints",
                                       "layerPrecisions",
                                       "calib",
                                       "layerOutputTypes"};
const std::set<std::string> kPlain = {"skipInference", "noTF32", "fp16", "int8"};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    if (word.rfind("--", 0) != 0) return false;
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool has_value = equals != std::string::npos;
    if ((has_value ? kValued : kPlain).count(name) == 0) {
      std::printf("[E] sil: there is no option %s\n", word.c_str());
      return false;
    }
    options[name] = has_value ? word.substr(equals + 1) : "1";
  }
  return options.count("onnx") == 1 && options.count("saveEngine") == 1;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool add_shapes(nvinfer1::IOptimizationProfile& profile, const std::string& text,
                nvinfer1::OptProfileSelector selector) {
  for (const std::string& part : split(text, ',')) {
    const auto colon = part.rfind(':');
    if (colon == std::string::npos) return false;
    nvinfer1::Dims dims{};
    for (const std::string& dim : split(part.substr(colon + 1), 'x')) {
      if (dims.nbDims == nvinfer1::Dims::MAX_DIMS) return false;
      dims.d[dims.nbDims++] = std::stoll(dim);
    }
    if (!profile.setDimensions(part.substr(0, colon).c_str(), selector, dims)) return false;
  }
  return true;
}

bool is_dynamic(const nvinfer1::ITensor& input) {
  const nvinfer1::Dims dims = input.getDimensions();
  return input.isShapeTensor() ||
         std::any_of(dims.d, dims.d + std::max(dims.nbDims, 0), [](auto dim) { return dim < 0; });
}

bool add_profile(nvinfer1::IBuilder& builder, const nvinfer1::INetworkDefinition& network,
                 nvinfer1::IBuilderConfig& config, const Options& options) {
  if (options.count("minShapes") == 0) return true;
  bool has_dynamic = false;
  for (int i = 0; i < network.getNbInputs(); ++i)
    has_dynamic = has_dynamic || is_dynamic(*network.getInput(i));
  if (!has_dynamic) {
    std::printf("[E] sil: shapes were given for a model whose inputs are all static\n");
    return false;
  }
  auto* const profile = builder.createOptimizationProfile();
  using nvinfer1::OptProfileSelector;
  return add_shapes(*profile, options.at("minShapes"), OptProfileSelector::kMIN) &&
         add_shapes(*profile, options.at("optShapes"), OptProfileSelector::kOPT) &&
         add_shapes(*profile, options.at("maxShapes"), OptProfileSelector::kMAX) &&
         config.addOptimizationProfile(profile) == 0;
}

/// The number at the start of `text`, then one of `ends`; -1 when it is anything else.
long number_of(const std::string& text, const std::set<std::string>& ends) {
  char* end = nullptr;
  const long number = std::strtol(text.c_str(), &end, 10);
  return end != text.c_str() && number >= 0 && ends.count(end) != 0 ? number : -1;
}

/// "workspace:1024M"; without a unit in M.
std::size_t workspace_of(const std::string& text) {
  static const std::map<std::string, unsigned> kShifts = {
      {"", 20}, {"B", 0}, {"K", 10}, {"M", 20}, {"G", 30}};
  const std::string figure = text.substr(std::string("workspace:").size());
  const auto unit =
      kShifts.find(figure.substr(std::min(figure.size(), figure.find_first_not_of("0123456789"))));
  return unit == kShifts.end() ? 0 : std::stoull(figure) << unit->second;
}

const std::map<std::string, nvinfer1::DataType> kTypes = {
    {"fp32", nvinfer1::DataType::kFLOAT},  {"fp16", nvinfer1::DataType::kHALF},
    {"int32", nvinfer1::DataType::kINT32}, {"int64", nvinfer1::DataType::kINT64},
    {"int8", nvinfer1::DataType::kINT8},   {"uint8", nvinfer1::DataType::kUINT8},
    {"bool", nvinfer1::DataType::kBOOL}};

/// "layer:fp32+int32,other:fp16".
bool read_types(const std::string& text, std::map<std::string, std::vector<nvinfer1::DataType>>& types) {
  for (const std::string& part : split(text, ',')) {
    const auto colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0) return false;
    for (const std::string& name : split(part.substr(colon + 1), '+')) {
      const auto type = kTypes.find(name);
      if (type == kTypes.end()) return false;
      types[part.substr(0, colon)].push_back(type->second);
    }
  }
  return true;
}

bool is_value(const std::string& name, const std::string& value) {
  const auto is_one_of = [&value](const std::set<std::string>& known) { return known.count(value) != 0; };
  const auto are_parts = [&value](const std::set<std::string>& known) {
    const auto parts = split(value, ',');
    return std::all_of(parts.begin(), parts.end(),
                       [&known](const auto& part) { return known.count(part) != 0; });
  };
  std::map<std::string, std::vector<nvinfer1::DataType>> types;
  if (name == "profilingVerbosity") return is_one_of({"none", "layer_names_only", "detailed"});
  if (name == "precisionConstraints") return is_one_of({"none", "prefer", "obey"});
  if (name == "tempfileControls")
    return are_parts({"in_memory:allow", "in_memory:deny", "temporary:allow", "temporary:deny"});
  if (name == "builderOptimizationLevel") return number_of(value, {""}) >= 0 && number_of(value, {""}) <= 5;
  if (name == "avgTiming" || name == "maxAuxStreams" || name == "device") return number_of(value, {""}) >= 0;
  if (name == "memPoolSize")
    return value.rfind("workspace:", 0) == 0 && number_of(value.substr(10), {"", "B", "K", "M", "G"}) >= 0;
  if (name == "layerPrecisions" || name == "layerOutputTypes") return read_types(value, types);
  return !value.empty();
}

bool are_values(const Options& options) {
  for (const auto& [name, value] : options) {
    if (is_value(name, value)) continue;
    std::printf("[E] sil: --%s cannot be %s\n", name.c_str(), value.c_str());
    return false;
  }
  return true;
}

/// By the layers' names. One type stands for all outputs of a layer; else each has its own.
bool hold_layers(nvinfer1::INetworkDefinition& network, const Options& options) {
  std::map<std::string, std::vector<nvinfer1::DataType>> precisions, outputs;
  if (options.count("layerPrecisions") != 0) read_types(options.at("layerPrecisions"), precisions);
  if (options.count("layerOutputTypes") != 0) read_types(options.at("layerOutputTypes"), outputs);
  for (int i = 0; i < network.getNbLayers(); ++i) {
    nvinfer1::ILayer& layer = *network.getLayer(i);
    if (const auto found = precisions.find(layer.getName()); found != precisions.end())
      layer.setPrecision(found->second.front());
    const auto found = outputs.find(layer.getName());
    if (found == outputs.end()) continue;
    const auto& types = found->second;
    if (types.size() != 1 && static_cast<int>(types.size()) != layer.getNbOutputs()) {
      std::printf("[E] sil: types for %zu outputs of layer %s, which has %d\n", types.size(), layer.getName(),
                  layer.getNbOutputs());
      return false;
    }
    for (int output = 0; output < layer.getNbOutputs(); ++output) {
      const nvinfer1::DataType type = types[types.size() == 1 ? 0 : static_cast<std::size_t>(output)];
      const bool is_float = type == nvinfer1::DataType::kFLOAT || type == nvinfer1::DataType::kHALF;
      const nvinfer1::DataType own = layer.getOutput(output)->getType();
      const bool is_own_float = own == nvinfer1::DataType::kFLOAT || own == nvinfer1::DataType::kHALF;
      if (is_float != is_own_float) {
        std::printf("[E] sil: layer %s: output %d cannot have this type\n", layer.getName(), output);
        return false;
      }
      layer.setOutputType(output, type);
    }
  }
  return true;
}

void configure(nvinfer1::IBuilderConfig& config, const Options& options) {
  using nvinfer1::BuilderFlag;
  config.clearFlag(BuilderFlag::kTF32);
  if (options.count("fp16") != 0) config.setFlag(BuilderFlag::kFP16);
  if (options.count("int8") != 0) config.setFlag(BuilderFlag::kINT8);
  const auto constraints = options.find("precisionConstraints");
  if (constraints != options.end() && constraints->second == "obey")
    config.setFlag(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
  if (constraints != options.end() && constraints->second == "prefer")
    config.setFlag(BuilderFlag::kPREFER_PRECISION_CONSTRAINTS);
  config.setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, workspace_of(options.at("memPoolSize")));
  config.setMaxAuxStreams(std::stoi(options.at("maxAuxStreams")));
  config.setBuilderOptimizationLevel(std::stoi(options.at("builderOptimizationLevel")));
  config.setAvgTimingIterations(std::stoi(options.at("avgTiming")));
  if (options.at("profilingVerbosity") == "detailed")
    config.setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
}

void write(const std::string& path, const nvinfer1::IHostMemory& memory) {
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(memory.data()), static_cast<std::streamsize>(memory.size()));
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool build(const Options& options) {
  Logger logger;
  const std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
  const std::unique_ptr<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const std::unique_ptr<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, logger));
  if (!parser->parseFromFile(options.at("onnx").c_str(), 0)) return false;
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  configure(*config, options);
  if (!hold_layers(*network, options) || !add_profile(*builder, *network, *config, options)) return false;
  Calibrator calibrator(options.count("calib") != 0 ? read(options.at("calib")) : "");
  if (options.count("calib") != 0) config->setInt8Calibrator(&calibrator);
  const std::string& cache_path = options.at("timingCacheFile");
  const std::string known = read(cache_path);
  const std::unique_ptr<nvinfer1::ITimingCache> cache(
      config->createTimingCache(known.empty() ? nullptr : known.data(), known.size()));
  config->setTimingCache(*cache, false);
  const std::unique_ptr<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  if (!plan) return false;
  write(options.at("saveEngine"), *plan);
  const std::unique_ptr<nvinfer1::IHostMemory> measured(cache->serialize());
  if (measured) write(cache_path, *measured);
  return true;
}

void say(const char* what, int argc, char** argv) {
  std::printf("&&&& %s TensorRT.trtexec [TensorRT v%d] #", what, getInferLibVersion());
  for (int i = 0; i < argc; ++i) std::printf(" %s", argv[i]);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  say("RUNNING", argc, argv);
  Options options;
  const bool is_done = parse(argc, argv, options) && are_values(options) && build(options);
  say(is_done ? "PASSED" : "FAILED", argc, argv);
  return is_done ? 0 : 1;
}
