#include "cli/arguments.h"

#include <gmock/gmock.h>

#include "cli/cache_entries.h"
#include "cli/run_inputs.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Arguments, KeyValuesSplitAtTheFirstEqualsSign) {
  EXPECT_THAT(parse_key_values({"a=1", "b=c=d", "e="}, "--set").value(),
              ElementsAre(Pair("a", "1"), Pair("b", "c=d"), Pair("e", "")));
  for (const char* bad : {"", "=", "=x", "abc"}) {
    const auto pairs = parse_key_values({bad}, "--set");
    ASSERT_FALSE(pairs.ok()) << bad;
    EXPECT_THAT(pairs.error().message, HasSubstr("--set"));
  }
}

TEST(Arguments, ProfileTakesItsShapesFromTheEnd) {
  const auto profile = parse_profile("scope:image:1x3x8x8:1x3x16x16:2x3x32x32");
  ASSERT_TRUE(profile.ok()) << profile.error().message;
  EXPECT_EQ(profile->input_name, "scope:image");
  EXPECT_EQ(profile->min, Shape({1, 3, 8, 8}));
  EXPECT_EQ(profile->max, Shape({2, 3, 32, 32}));
  for (const char* bad : {"", "image", "image:1:2", ":1:2:3", "image:1:2:3y"})
    EXPECT_FALSE(parse_profile(bad).ok()) << bad;
}

TEST(Arguments, BuildJsonPathsCountFromItsFolder) {
  const TempFolder folder;
  const auto build = read_build_json(folder.write(
      "BUILD.json", R"({"precision": "fp32", "golden": {"file": "g.golden", "origin": "pytorch"}})"));
  ASSERT_TRUE(build.ok()) << build.error().message;
  EXPECT_EQ(build->golden->file, folder.path() / "g.golden");
  const auto empty =
      read_build_json(folder.write("BUILD.json", R"({"golden": {"file": "", "origin": "x"}})"));
  EXPECT_TRUE(empty.ok() && empty->golden->file.empty()) << "an empty path is left for validate() to refuse";
  for (const char* bad : {"", "[]", "{\"speed\": 1}", "{\"precision\": \"fp8\"}", "{\"precision\": 1}"}) {
    const auto refused = read_build_json(folder.write("BAD.json", bad));
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("BAD.json"));
  }
}

TEST(Arguments, OutputFolderThatCannotBeIsNamed) {
  const TempFolder folder;
  EXPECT_TRUE(make_output_folder(folder.path() / "a/b").ok());
  const auto file = folder.write("file", "x");
  const auto refused = make_output_folder(file);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr(file.string()));
}

TEST(RunInputs, AnInputGivenTwiceMakesTwoRuns) {
  const auto runs = plan_runs({"a=1.npy", "b=2.npy", "a=3.npy", "b=4.npy"});
  ASSERT_TRUE(runs.ok()) << runs.error().message;
  EXPECT_THAT(*runs, ElementsAre(ElementsAre(Pair("a", "1.npy"), Pair("b", "2.npy")),
                                 ElementsAre(Pair("a", "3.npy"), Pair("b", "4.npy"))));
  EXPECT_EQ(plan_runs({"a=1.npy", "b=2.npy", "a=3.npy"}).error().reason, Reason::kMissingInput);
}

EngineInfo info_of() {
  EngineInfo info;
  info.model = "net";
  info.inputs = {{"x", DType::kFloat32, Shape{2}, Shape{2}, false}};
  info.outputs = {{"/head/out:0", DType::kFloat32, Shape{2}, Shape{2}, false},
                  {"_head_out_0", DType::kFloat32, Shape{2}, Shape{2}, false},
                  {"../up", DType::kFloat32, Shape{2}, Shape{2}, false}};
  return info;
}

TEST(RunInputs, NamesAndTypesAreChecked) {
  const auto map = [](const char* name, DType dtype) {
    TensorMap inputs;
    EXPECT_TRUE(inputs.insert(name, Tensor::allocate(dtype, Shape{2}).value()).ok());
    return inputs;
  };
  EXPECT_TRUE(check_inputs(info_of(), map("x", DType::kFloat32)).ok());
  EXPECT_EQ(check_inputs(info_of(), map("x", DType::kInt8)).error().reason, Reason::kDtypeMismatch);
  EXPECT_EQ(check_inputs(info_of(), map("y", DType::kFloat32)).error().reason, Reason::kMissingInput);
  TensorMap both = map("x", DType::kFloat32);
  ASSERT_TRUE(both.insert("y", Tensor::allocate(DType::kFloat32, Shape{2}).value()).ok());
  EXPECT_EQ(check_inputs(info_of(), both).error().reason, Reason::kUnknownName);
}

TEST(RunInputs, OutputFileNamesArePlainAndDifferent) {
  EXPECT_THAT(output_file_names(info_of()),
              ElementsAre("_head_out_0.npy", "1__head_out_0.npy", "2_.._up.npy"));
}

EngineRecord record_of(const std::string& runtime, Precision precision, int sm) {
  EngineRecord record;
  record.model = "net";
  record.runtime_label = runtime;
  record.precision = precision;
  record.host.sm = sm;
  record.file = "net__sm" + std::to_string(sm) + "_" + runtime + std::string(to_string(precision));
  return record;
}

TEST(ChooseEngine, AmbiguousNamesListTheirCandidates) {
  const HostTuple host;
  const std::vector<EngineRecord> records = {record_of("onnx_trt_ep", Precision::kFp32, 0),
                                             record_of("onnx_trt_ep", Precision::kFp16, 0),
                                             record_of("tensorrt", Precision::kFp32, 87)};
  const auto ambiguous = choose_engine(records, {"net", {}, {}}, host);
  ASSERT_FALSE(ambiguous.ok());
  EXPECT_EQ(ambiguous.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(ambiguous.error().message, HasSubstr("net__sm0_onnx_trt_epfp32"));
  EXPECT_THAT(ambiguous.error().message, HasSubstr("net__sm0_onnx_trt_epfp16"));
  const auto one = choose_engine(records, {"net", {}, Precision::kFp32}, host);  // this host's comes first
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(one->host.sm, 0);
  EXPECT_EQ(choose_engine(records, {"net", "tensorrt", {}}, host)->host.sm, 87);
  const auto none = choose_engine(records, {"other", {}, {}}, host);
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("is not in this folder"));
}

}  // namespace
}  // namespace skua::test
