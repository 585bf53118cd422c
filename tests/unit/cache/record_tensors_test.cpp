// Tensors whose memory is not bounded by what a record says are refused, in a build record and in a manifest.
#include "cache/record_tensors.h"

#include <gtest/gtest.h>

#include <limits>

#include "cache_fixture.h"
#include "whole_manifest.h"

namespace skua::test {
namespace {

using Change = std::function<void(EngineRecord&)>;

/// One dynamic and one static input, a dynamic and a static output.
void widen(EngineRecord& record) {
  record.inputs.push_back({"k", DType::kInt64, Shape{3}, Shape{3}, false});
  record.outputs.push_back({"z", DType::kFloat32, Shape{2, 2}, Shape{2, 2}, false});
  record.golden.tolerances["z"] = {};
}

testing::AssertionResult is_refused_in_both(const Change& change) {
  EngineRecord record = plan_record();
  Manifest manifest = whole_manifest();
  widen(record);
  widen(manifest.artifacts[0].engine);
  for (const bool is_control : {true, false}) {
    if (!is_control) change(record), change(manifest.artifacts[0].engine);
    const auto one = decode_build_record(encode_build_record(record));
    const auto other = decode_manifest(encode_manifest(manifest));
    if (is_control) {
      if (!accepted(one)) return accepted(one) << " (the control)";
      if (!accepted(other)) return accepted(other) << " (the control)";
      continue;
    }
    auto result = refused(one, ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed);
    if (!result) return result << " in the build record";
    result = refused(other, ErrorCode::kManifest, Reason::kManifestMalformed);
    if (!result) return result << " in the manifest";
    // Refused by this guard: what stands beside it finds nothing.
    if (check_tensors(record, "engine").ok()) return testing::AssertionFailure() << "another guard refused";
  }
  return testing::AssertionSuccess();
}

TEST(RecordTensors, AMaxShapeThatDoesNotCoverItsShapeIsRefused) {
  for (std::size_t side = 0; side < 2; ++side) {
    const auto tensor = [&](EngineRecord& r, std::size_t i) -> TensorSpec& {
      return side == 0 ? r.inputs[i] : r.outputs[i];
    };
    const auto refused_with = [&](std::size_t i, const Shape& max) {
      return is_refused_in_both([&](auto& r) { tensor(r, i).max_shape = max; });
    };
    EXPECT_TRUE(refused_with(0, Shape{8, 3})) << "a static axis, too small";
    EXPECT_TRUE(refused_with(0, Shape{8, 5})) << "a static axis, too large";
    EXPECT_TRUE(refused_with(0, Shape{8})) << "a rank less";
    EXPECT_TRUE(refused_with(0, Shape{8, 4, 1})) << "a rank more";
    EXPECT_TRUE(refused_with(0, Shape{-1, 4})) << "not static";
    EXPECT_TRUE(refused_with(0, Shape())) << "nothing";
    EXPECT_TRUE(refused_with(1, side == 0 ? Shape{2} : Shape{2, 1})) << "of a static tensor";
    EXPECT_TRUE(refused_with(0, Shape{std::numeric_limits<std::int64_t>::max(), 4})) << "no such memory";
  }
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.outputs[1].shape = Shape{4, 2}; }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.inputs[1].shape = Shape{4}; }));
}

TEST(RecordTensors, ADynamicInputHasOneProfileThatEndsAtItsMaxShape) {
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles.clear(); }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles.push_back(r.profiles[0]); })) << "two";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].input_name = "k"; }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) {
    r.profiles.push_back({"y", Shape{1, 4}, Shape{2, 4}, Shape{8, 4}});
  })) << "of an output";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].max = Shape{9, 4}; })) << "beyond max_shape";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].max = Shape{7, 4}; })) << "before max_shape";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.inputs[0].max_shape = Shape{7, 4}; }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].min = Shape{3, 4}; })) << "min above opt";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].opt = Shape{9, 4}; })) << "opt above max";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].min = Shape{0, 4}; }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].min = Shape{1, 3}; })) << "a static axis";
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.profiles[0].opt = Shape{2}; })) << "another rank";
  EXPECT_TRUE(is_refused_in_both([](auto& r) {
    r.profiles.push_back({"k", Shape{1}, Shape{3}, Shape{3}});
  })) << "a range over a static input";
}

TEST(RecordTensors, NamesDifferAndThereAreNotTooMany) {
  EXPECT_TRUE(is_refused_in_both([](auto& r) { r.inputs[1].name = "x"; }));
  EXPECT_TRUE(is_refused_in_both([](auto& r) {
    r.outputs[1].name = "y";
    r.golden.tolerances.erase("z");
  }));
  const auto inputs = [](std::size_t count) {
    EngineRecord record = plan_record();
    while (record.inputs.size() < count) {
      record.inputs.push_back(
          {"k" + std::to_string(record.inputs.size()), DType::kInt64, Shape{3}, Shape{3}});
    }
    return check_tensors(record, "engine");
  };
  EXPECT_TRUE(inputs(64).ok());
  EXPECT_FALSE(inputs(65).ok());
}

TEST(RecordTensors, EmptyScalarAndProfiledStaticTensorsPass) {
  EngineRecord record = plan_record();
  record.inputs.push_back({"none", DType::kInt64, Shape{0, 3}, Shape{0, 3}, false});
  record.inputs.push_back({"one", DType::kInt64, Shape(), Shape(), false});
  record.inputs.push_back({"k", DType::kInt64, Shape{3}, Shape{3}, false});
  record.profiles.push_back({"k", Shape{3}, Shape{3}, Shape{3}});
  record.outputs[0].max_shape = Shape{0, 4};
  EXPECT_TRUE(check_tensors(record, "engine").ok());
}

}  // namespace
}  // namespace skua::test
