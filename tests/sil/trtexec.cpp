// A stand-in for trtexec 10.3, for tests: the options of building alone, over the software-in-the-loop SDK.
// As the real one it refuses an option that it does not know, says RUNNING first and PASSED or FAILED last,
// and ends with status 0 or 1.
#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using Options = std::map<std::string, std::string>;

class Logger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, char const* text) noexcept override {
    if (severity <= Severity::kWARNING)
      std::printf("[%s] %s\n", severity <= Severity::kERROR ? "E" : "W", text);
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
                                       "layerOutputTypes"};
const std::set<std::string> kPlain = {"skipInference", "noTF32", "fp16"};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    if (word.rfind("--", 0) != 0) return false;
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool has_value = equals != std::string::npos;
    if ((has_value ? kValued : kPlain).count(name) == 0) {
      std::printf("[E] Unknown option: %s\n", word.c_str());
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

bool add_profile(nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config, const Options& options) {
  if (options.count("minShapes") == 0) return true;
  auto* const profile = builder.createOptimizationProfile();
  using nvinfer1::OptProfileSelector;
  return add_shapes(*profile, options.at("minShapes"), OptProfileSelector::kMIN) &&
         add_shapes(*profile, options.at("optShapes"), OptProfileSelector::kOPT) &&
         add_shapes(*profile, options.at("maxShapes"), OptProfileSelector::kMAX) &&
         config.addOptimizationProfile(profile) == 0;
}

std::size_t workspace_of(const std::string& text) {
  const std::string name = "workspace:";
  return std::stoull(text.substr(name.size())) << 20U;  // in M
}

void configure(nvinfer1::IBuilderConfig& config, const Options& options) {
  using nvinfer1::BuilderFlag;
  config.clearFlag(BuilderFlag::kTF32);
  if (options.count("fp16") != 0) config.setFlag(BuilderFlag::kFP16);
  config.setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, workspace_of(options.at("memPoolSize")));
  config.setMaxAuxStreams(std::stoi(options.at("maxAuxStreams")));
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
  if (!add_profile(*builder, *config, options)) return false;
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
  const bool is_done = parse(argc, argv, options) && build(options);
  say(is_done ? "PASSED" : "FAILED", argc, argv);
  return is_done ? 0 : 1;
}
