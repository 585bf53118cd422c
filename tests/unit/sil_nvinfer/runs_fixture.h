// A small dynamic network in device memory, ready to run.
#pragma once

#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {

using nvinfer1::OptProfileSelector;
using Strategy = nvinfer1::ExecutionContextAllocationStrategy;

/// y = x W of dynamic_rows_model(), counted by hand.
inline std::vector<float> rows_by_hand(const std::vector<float>& x) {
  std::vector<float> y;
  for (std::size_t row = 0; row < x.size() / 4; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      float sum = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        sum += x[row * 4 + i] * (static_cast<float>((i * 3 + column) % 7) - 3.0F) / 8.0F;
      }
      y.push_back(sum);
    }
  }
  return y;
}

class SilRuns : public SilNvinfer {
 protected:
  /// dynamic_rows_model() for 1 to 8 rows.
  std::string rows_plan() {
    Workshop workshop(listener);
    EXPECT_TRUE(workshop.parse(test::dynamic_rows_model()));
    EXPECT_EQ(workshop.add_profile("x", dims({1, 4}), dims({2, 4}), dims({8, 4})), 0);
    return workshop.build();
  }
  /// A context on x and y with one set of rows in place.
  Owned<nvinfer1::IExecutionContext> placed(nvinfer1::ICudaEngine& engine, std::int64_t rows,
                                            Strategy strategy = Strategy::kSTATIC) {
    Owned<nvinfer1::IExecutionContext> context(engine.createExecutionContext(strategy));
    EXPECT_NE(context, nullptr) << listener.errors();
    if (context == nullptr) return nullptr;
    EXPECT_TRUE(context->setInputShape("x", dims({rows, 4}))) << listener.errors();
    EXPECT_TRUE(context->setTensorAddress("x", x.data()));
    EXPECT_TRUE(context->setTensorAddress("y", y.data()));
    return context;
  }

  DeviceMemory x{8 * 4 * sizeof(float)}, y{8 * 3 * sizeof(float)};
  Stream stream;
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6, 7, 8};
};

}  // namespace skua::sil_test
