// What the tests of int8 share: samples out of a list, and the texts that the stand-in makes of them.
#pragma once

#include <bit>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compile_fixture.h"
#include "runtimes/tensorrt/compile_calibrator.h"

namespace skua::test {

using Rows = std::vector<float>;

/// Two rows for dynamic_relu_model at the opt of rows_profile(). Of its weights: rows 1 and 4, then 2 twice.
inline Rows first_rows() { return {1, 0, 0, 0, 0, 0, 0, -1}; }
inline Rows second_rows() { return {0, 2, 0, 0, 0, 0, 0, 0}; }

inline std::vector<OptimizationProfile> rows_profile() {
  return {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
}

inline TensorMap rows_sample(const Rows& rows) {
  return one_tensor<float>("x", DType::kFloat32, Shape{static_cast<std::int64_t>(rows.size()) / 4, 4}, rows);
}

class ListedSamples final : public calibration::CalibrationSamples {
 public:
  explicit ListedSamples(const std::vector<Rows>& all) {
    for (const Rows& rows : all) list.push_back(rows_sample(rows));
  }
  std::size_t count() const override { return list.size(); }
  Result<TensorMap> next() override {
    if (given == fails_at)
      return make_error(ErrorCode::kEngineBuild, Reason::kDataSetChanged, "0007.npz has changed");
    return std::move(list.at(given++));
  }
  std::vector<TensorMap> list;
  std::size_t given = 0;
  std::optional<std::size_t> fails_at;
};

inline std::unique_ptr<ListedSamples> both_samples() {
  return std::make_unique<ListedSamples>(std::vector<Rows>{first_rows(), second_rows()});
}

inline std::string scale_line(const std::string& name, float largest) {
  char text[16];
  std::snprintf(text, sizeof text, ": %08x\n", std::bit_cast<std::uint32_t>(largest / 127));
  return name + text;
}

inline std::string cache_header(const std::string& algorithm = "EntropyCalibration2") {
  return "TRT-" + std::to_string(NV_TENSORRT_VERSION) + "-" + algorithm + "\n";
}

/// What both samples give.
inline std::string rows_cache(const std::string& algorithm = "EntropyCalibration2") {
  return cache_header(algorithm) + scale_line("x", 2) + scale_line("h", 12) + scale_line("y", 12);
}

}  // namespace skua::test
