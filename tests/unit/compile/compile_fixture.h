// A compilation without a runtime: its request, its folder, and an execution that doubles.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "compile/compilation.h"
#include "inference/strategy.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {

template <typename T>
std::vector<T> read(const TensorView& view) {
  const auto values = view.as<T>();
  return std::vector<T>(values.begin(), values.end());
}

inline Tensor floats(const Shape& shape, const std::vector<float>& values) {
  Tensor tensor = Tensor::allocate(DType::kFloat32, shape).value();
  EXPECT_EQ(tensor.view().size_bytes(), values.size() * sizeof(float));
  std::memcpy(tensor.view().data, values.data(), tensor.view().size_bytes());
  return tensor;
}

inline constexpr std::int64_t kMostRows = 5;

/// y = 2x over rows of two floats. It keeps the inputs of every run.
class DoublingExecution final : public Execution {
 public:
  TensorView input(std::size_t) const noexcept override { return shown(x_); }
  TensorView output(std::size_t) const noexcept override { return shown(y_); }
  Status set_input_shape(std::size_t, const Shape& shape) override {
    shape_ = shape;
    return {};
  }
  Status run(std::optional<std::int64_t>) noexcept override {
    runs.push_back(read<float>(input(0)));
    if (failure && runs.size() > good_runs) return *failure;
    const auto out = output(0).as<float>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = 2.0F * runs.back()[i];
    return {};
  }

  std::vector<std::vector<float>> runs;
  std::optional<Error> failure;
  std::size_t good_runs = 0;  ///< before the failure

 private:
  TensorView shown(const Tensor& tensor) const noexcept {
    TensorView view = tensor.view();
    view.shape = shape_;
    return view;
  }
  Shape shape_{1, 2};
  Tensor x_ = Tensor::allocate(DType::kFloat32, Shape{kMostRows, 2}).value();
  Tensor y_ = Tensor::allocate(DType::kFloat32, Shape{kMostRows, 2}).value();
};

/// A compilation of that network, as it stands when its contract is settled. Without `set_dynamic` its shape
/// is one row.
class CompilationCase {
 public:
  CompilationCase() : request(new_request(folder)), compilation(request) {
    compilation.record.inputs = {{"x", DType::kFloat32, Shape{1, 2}, Shape{1, 2}, false}};
    compilation.record.outputs = {{"y", DType::kFloat32, Shape{1, 2}, Shape{1, 2}, false}};
  }

  void set_dynamic() {
    const Shape most{kMostRows, 2};
    compilation.record.inputs = {{"x", DType::kFloat32, Shape{-1, 2}, most, false}};
    compilation.record.outputs = {{"y", DType::kFloat32, Shape{-1, 2}, most, false}};
    compilation.record.profiles = {{"x", Shape{2, 2}, Shape{3, 2}, most}};
  }

  /// Makes `inputs` and `outputs` the user's golden file.
  void give_golden(TensorMap inputs, TensorMap outputs) {
    const auto bytes = encode_golden(inputs, outputs).value();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    request.build.golden = GoldenSource{folder.write("my.golden", text), "by hand"};
  }
  void give_golden(Tensor x, Tensor y) {
    give_golden(one_tensor("x", std::move(x)), one_tensor("y", std::move(y)));
  }

  static TensorMap one_tensor(const std::string& name, Tensor tensor) {
    TensorMap map;
    EXPECT_TRUE(is_ok(map.insert(name, std::move(tensor))));
    return map;
  }

  TempFolder folder;
  CompileRequest request;
  compile::Compilation compilation;

 private:
  static CompileRequest new_request(const TempFolder& folder) {
    CompileRequest request;
    request.staging_dir = folder.path() / "staging";
    std::filesystem::create_directory(request.staging_dir);
    request.artifact_name = "net__sm0_jp0_trt0_fp32.bin";
    request.model_name = "net";
    request.build.precision = Precision::kFp32;
    return request;
  }
};

}  // namespace skua::test
