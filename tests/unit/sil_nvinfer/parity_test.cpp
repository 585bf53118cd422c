// The software-in-the-loop engine gives what Skua's ONNX strategy gives on the CPU, to the bit.
#include <random>

#include "models.h"
#include "runs_fixture.h"
#include "runtimes/onnxruntime/ort_options.h"
#include "temp_folder.h"

namespace skua::sil_test::parity_tests {
namespace {

constexpr std::size_t kPixels = 3 * 24 * 24;

std::vector<float> noise(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> spread(-1.0F, 1.0F);
  std::vector<float> values(count);
  for (float& value : values) value = spread(random);
  return values;
}

/// Convolutions with what the optimiser fuses around them, and a product at the end.
std::string convolutions() {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 3, 24, 24})
      .output("y", test::kFloat, {1, 10})
      .weights("w0", test::kFloat, {16, 3, 3, 3}, raw(noise(432, 1)))
      .weights("b0", test::kFloat, {16}, raw(noise(16, 2)))
      .weights("w1", test::kFloat, {16, 16, 3, 3}, raw(noise(2304, 3)))
      .weights("w2", test::kFloat, {9216, 10}, raw(noise(92160, 4)))
      .node("Conv", {"x", "w0", "b0"}, {"c0"}, {integers_attribute("pads", {1, 1, 1, 1})})
      .node("Relu", {"c0"}, {"r0"})
      .node("Conv", {"r0", "w1"}, {"c1"}, {integers_attribute("pads", {1, 1, 1, 1})})
      .node("Add", {"c1", "r0"}, {"s"})
      .node("Sigmoid", {"s"}, {"g"})
      .node("Flatten", {"g"}, {"f"})
      .node("MatMul", {"f", "w2"}, {"y"})
      .model();
}

/// As the ONNX strategy compiles and runs it: optimised into a file, then run as that file says.
class OnnxStrategy {
 public:
  OnnxStrategy() : library_(ort::OrtLibrary::open(ort::library_path({})).value()) {}

  std::vector<char> run(const std::string& model, Precision precision, std::vector<char> input,
                        const std::vector<std::int64_t>& input_dims, ONNXTensorElementDataType type,
                        std::size_t output_bytes) {
    const test::TempFolder folder;
    const auto source = folder.write("source.onnx", model);
    const auto artifact = folder.path() / "artifact.onnx";
    RuntimeConfig config;
    config.execution_provider = "cpu";
    session(source, ort::compile_plan(config, {}, precision, artifact));
    const ort::SessionHandle made = session(artifact, ort::run_plan(config, {}));
    return run(made, std::move(input), input_dims, type, output_bytes);
  }

 private:
  ort::SessionHandle session(const std::filesystem::path& path, const ort::SessionPlan& plan) {
    const auto options = ort::make_options(*library_, plan, ErrorCode::kInternal);
    ort::SessionHandle made(library_->api());
    OrtStatus* const status =
        library_->api().CreateSession(library_->env(), path.c_str(), options.value().get(), made.out());
    EXPECT_EQ(status, nullptr) << library_->api().GetErrorMessage(status);
    return made;
  }
  std::vector<char> run(const ort::SessionHandle& made, std::vector<char> input,
                        const std::vector<std::int64_t>& input_dims, ONNXTensorElementDataType type,
                        std::size_t output_bytes) {
    const OrtApi& api = library_->api();
    ort::MemoryInfoHandle host(api);
    EXPECT_EQ(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, host.out()), nullptr);
    ort::ValueHandle in(api), out(api);
    EXPECT_EQ(api.CreateTensorWithDataAsOrtValue(host.get(), input.data(), input.size(), input_dims.data(),
                                                 input_dims.size(), type, in.out()),
              nullptr);
    const char *in_name = "x", *out_name = "y";
    const OrtValue* inputs[1] = {in.get()};
    OrtValue* result = nullptr;
    EXPECT_EQ(api.Run(made.get(), nullptr, &in_name, inputs, 1, &out_name, 1, &result), nullptr);
    out.reset(result);
    void* data = nullptr;
    EXPECT_EQ(api.GetTensorMutableData(result, &data), nullptr);
    const char* const bytes = static_cast<const char*>(data);
    return {bytes, bytes + output_bytes};
  }

  std::shared_ptr<const ort::OrtLibrary> library_;
};

class SilParity : public SilNvinfer {
 protected:
  std::vector<char> through_the_engine(const std::string& model, const std::vector<char>& input,
                                       std::size_t bytes) {
    const auto engine = load(plan_of(model));
    EXPECT_NE(engine, nullptr) << listener.errors();
    const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
    DeviceMemory x(input.size()), y(bytes);
    Stream stream;
    context->setTensorAddress("x", x.data());
    context->setTensorAddress("y", y.data());
    x.write(input);
    EXPECT_TRUE(context->enqueueV3(stream)) << listener.errors();
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    return y.read<char>(bytes);
  }
};

std::vector<char> bytes_of(const std::vector<float>& values) {
  const std::string bytes = raw(values);
  return {bytes.begin(), bytes.end()};
}

TEST_F(SilParity, FloatNetworksAgreeToTheBit) {
  OnnxStrategy strategy;
  const std::vector<char> input = bytes_of(noise(kPixels, 5));
  const auto expected = strategy.run(convolutions(), Precision::kFp32, input, {1, 3, 24, 24},
                                     ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 40);
  EXPECT_EQ(through_the_engine(convolutions(), input, 40), expected);
}

TEST_F(SilParity, HalfNetworksAgreeToTheBit) {
  OnnxStrategy strategy;
  const std::vector<char> input(16, '\x3c');
  const auto expected = strategy.run(test::half_mlp_model(), Precision::kFp16, input, {1, 8},
                                     ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, 8);
  EXPECT_EQ(through_the_engine(test::half_mlp_model(), input, 8), expected);
}

}  // namespace
}  // namespace skua::sil_test::parity_tests
