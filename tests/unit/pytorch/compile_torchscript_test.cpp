// Compiling: what becomes of the values, what is recorded, what is refused. Bad files are in
// tests/e2e/test_torchscript_*.py, where torch can write them.
#include "torch_fixture.h"

namespace skua::test {
namespace {

TEST(CompileTorchscript, TheRecordSaysWhatRuns) {
  CompileCase add_relu("add_relu");
  const EngineRecord record = add_relu.compile().value();
  EXPECT_EQ(record.runtime_label, "pytorch_fp16");
  EXPECT_EQ(record.arithmetic, "fp16 weights, fp32 arithmetic");
  EXPECT_EQ(record.options.at("device"), "cpu");
  EXPECT_EQ(record.options.at("arithmetic"), "widened");
  EXPECT_TRUE(record.options.at("graph") == "optimized" || record.options.at("graph") == "frozen");
  EXPECT_EQ(record.proof.at("tensors.fp16"), "1");
  EXPECT_EQ(record.proof.at("values.underflowed_to_zero"), "0");
  EXPECT_EQ(record.proof.at("native_run.y"), "float16");
  EXPECT_EQ(record.golden.origin.find("libtorch"), 0U);
  EXPECT_GT(record.device_memory_bytes, 0U);
  EXPECT_EQ(record.size_bytes, add_relu.artifact().size());
}

TEST(CompileTorchscript, AValueBeyondHalfIsNamed) {
  CompileCase overflowing("overflowing");
  EXPECT_TRUE(is_build_error(overflowing.compile(), Reason::kPrecisionNotSupported, "'bias' has 1 values"));
  CompileCase single("overflowing", "", Precision::kFp32);
  EXPECT_TRUE(is_ok(single.compile()));
}

TEST(CompileTorchscript, ValuesThatBecomeZeroAreCounted) {
  CompileCase underflowing("underflowing");
  const auto record = underflowing.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("values.underflowed_to_zero"), "1");
  EXPECT_EQ(record->proof.at("values.underflowed_first_in"), "bias");
}

TEST(CompileTorchscript, WhatTheBaselineHasNotIsRefused) {
  for (const Precision precision : {Precision::kInt8, Precision::kMixed}) {
    CompileCase add_relu("add_relu", "widened", precision);
    EXPECT_TRUE(
        is_build_error(add_relu.compile(), Reason::kPrecisionNotSupported, "half-precision baseline"));
  }
  CompileCase kept("add_relu");
  kept.request.build.keep_fp32 = {"*"};
  EXPECT_TRUE(is_build_error(kept.compile(), Reason::kPrecisionNotSupported, "keep_fp32"));
  CompileCase gpu("add_relu");
  gpu.request.config.device = "cuda";
  EXPECT_TRUE(is_error(gpu.compile(), ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable));
}

TEST(CompileTorchscript, ShapesComeFromTheFileOrTheProfile) {
  CompileCase without("several");
  EXPECT_TRUE(is_build_error(without.compile(), Reason::kProfileMismatch, "--profile x:MIN:OPT:MAX"));
  CompileCase rows("dynamic_rows");
  EXPECT_TRUE(is_build_error(rows.compile(), Reason::kProfileMismatch, "input 'x'"));
  rows.request.build.optimization_profiles = {{"x", {1, 5}, {1, 5}, {2, 5}}};
  EXPECT_TRUE(is_build_error(rows.compile(), Reason::kProfileMismatch, "within -1x4"));
  rows.request.build.optimization_profiles = {{"y", {1, 4}, {1, 4}, {2, 4}}};
  EXPECT_TRUE(is_error(rows.compile(), ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                       "no input has this name"));
  rows.request.build.optimization_profiles = {{"x", {1, 4}, {1, 4}, {2, 4}}};
  const auto record = rows.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->inputs[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(record->outputs[0].shape, (Shape{-1, 3}));
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{2, 3}));
}

TEST(CompileTorchscript, ADataDependentOutputNeedsABound) {
  CompileCase indices("nearly_all");
  EXPECT_TRUE(is_build_error(indices.compile(), Reason::kOutputUnbounded, "max_output_shapes['y']"));
  indices.request.build.max_output_shapes = {{"y", {1, 8}}};
  const auto record = indices.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_TRUE(record->outputs[0].data_dependent);
  EXPECT_EQ(record->outputs[0].shape, (Shape{1, -1}));
  EXPECT_EQ(record->outputs[0].dtype, DType::kInt64);
}

TEST(CompileTorchscript, NamesThatDoNotFitAreRefused) {
  CompileCase several("several");
  several.request.build.optimization_profiles = {{"x", {2}, {2}, {2}}};
  several.request.build.output_names = {"one"};
  EXPECT_TRUE(is_build_error(several.compile(), Reason::kProfileMismatch, "the names of the 2 outputs"));
  several.request.build.output_names = {"one", "two"};
  const auto record = several.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[1].name, "two");
  several.request.build.input_dtypes = {{"z", DType::kInt64}};
  EXPECT_TRUE(
      is_error(several.compile(), ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "input_dtypes"));
}

TEST(DeclaredIo, IsReadStrictly) {
  const std::string good = R"({"inputs":[{"name":"x","dtype":"float32","shape":[-1,4]}],"outputs":["y"]})";
  const auto io = pytorch::parse_declared_io(good);
  ASSERT_TRUE(is_ok(io));
  EXPECT_EQ(io->inputs[0].shape, (Shape{-1, 4}));
  for (const char* bad : {
           "",
           "[]",
           R"({"inputs":[]})",
           R"({"inputs":[],"outputs":["y","y"]})",
           R"({"inputs":[],"outputs":[""]})",
           R"({"inputs":[],"outputs":[],"more":1})",
           R"({"inputs":[{"name":"x","dtype":"float9","shape":[]}],"outputs":[]})",
           R"({"inputs":[{"name":"x","dtype":"float32","shape":[1.5]}],"outputs":[]})",
           R"({"inputs":[{"name":"x","dtype":"float32","shape":[-2]}],"outputs":[]})",
       }) {
    EXPECT_TRUE(is_build_error(pytorch::parse_declared_io(bad), Reason::kModelMalformed, "skua.io")) << bad;
  }
}

}  // namespace
}  // namespace skua::test
