#include "cache/engine_record.h"

#include <gtest/gtest.h>

#include "cache_fixture.h"
#include "json_spoil.h"

namespace skua::test::engine_record_tests {
namespace {

testing::AssertionResult malformed(const std::string& text) {
  return refused(decode_build_record(text), ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed);
}

EngineRecord calibrated_record() {
  EngineRecord record = plan_record();
  record.calibration = CalibrationProvenance{digest_of("data"), 500, digest_of("cache"), "entropy2", "skua"};
  return record;
}

/// Keys of these objects are free: runtimes put there what they like.
bool is_free_map(const std::string& path) { return path.ends_with("/options") || path.ends_with("/proof"); }

TEST(BuildRecord, ComesBackAsItWas) {
  for (const EngineRecord& record : {plan_record(), calibrated_record()}) {
    const std::string text = encode_build_record(record);
    const auto decoded = decode_build_record(text);
    ASSERT_TRUE(accepted(decoded));
    EXPECT_EQ(*decoded, record);
    EXPECT_EQ(encode_build_record(*decoded), text);
    EXPECT_EQ(text.back(), '\n');
  }
}

TEST(BuildRecord, IsBoundedAndOfOneKind) {
  const Json good = Json::parse(encode_build_record(plan_record()));
  Json many = good;
  Json& golden = many.contains("golden") ? many["golden"] : many["engine"]["golden"];
  const Json one = *golden["tolerances"].begin();
  for (int i = 0; i < 65; ++i) golden["tolerances"]["y" + std::to_string(i)] = one;
  EXPECT_TRUE(malformed(many.dump()));
  for (const char* text : {"[]", "7", "null", "\"text\"", "{\"engine\": []}", "{\"engine\": null}"})
    EXPECT_TRUE(malformed(text)) << text;
}

TEST(BuildRecord, EveryMissingFieldIsRefused) {
  const Json json = Json::parse(encode_build_record(calibrated_record()));
  std::size_t tried = 0;
  for (const Member& member : members_of(json)) {
    if (is_free_map(member.object.to_string())) continue;
    EXPECT_TRUE(malformed(without(json, member).dump())) << member.text();
    ++tried;
  }
  EXPECT_GT(tried, 60U);
}

TEST(BuildRecord, EveryFieldOfAnotherTypeIsRefused) {
  const Json json = Json::parse(encode_build_record(calibrated_record()));
  for (const Member& member : members_of(json)) {
    for (const Json& spoiled : with_other_types(json, member, member.key != "calibration")) {
      EXPECT_TRUE(malformed(spoiled.dump())) << member.text() << " = " << spoiled[member.object][member.key];
    }
  }
}

TEST(BuildRecord, UnknownAndDoubledFieldsAreRefused) {
  const Json json = Json::parse(encode_build_record(calibrated_record()));
  for (const Member& member : members_of(json)) {
    EXPECT_TRUE(malformed(doubled(json, member))) << member.text();
    if (is_free_map(member.object.to_string())) continue;
    EXPECT_TRUE(malformed(with_unknown(json, member.object).dump())) << member.text();
  }
  EXPECT_TRUE(accepted(decode_build_record(json.dump())))
      << "the control: the same text, only without line ends";
}

TEST(BuildRecord, EveryShorterTextIsRefused) {
  const std::string text = encode_build_record(plan_record());
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    ASSERT_TRUE(malformed(text.substr(0, length))) << length;
  }
  EXPECT_TRUE(malformed(text + "x"));
  EXPECT_TRUE(malformed(std::string(kBuildRecordMaxBytes, ' ') + text));
}

template <typename Change>
testing::AssertionResult malformed_after(Change change) {
  EngineRecord record = calibrated_record();
  if (!decode_build_record(encode_build_record(record)).ok())
    return testing::AssertionFailure() << "the control is refused";
  change(record);
  return malformed(encode_build_record(record));
}

TEST(BuildRecord, FieldsThatContradictEachOtherAreRefused) {
  EXPECT_TRUE(malformed_after([](auto& r) { r.file = "../net__sm87_jp6.2_trt10.3_fp16.engine"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.file = "golden/net__sm87_jp6.2_trt10.3_fp16.engine"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.file = ""; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.golden.file = "/etc/passwd"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.model = "other"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.size_bytes = 0; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.outputs.clear(), r.golden.tolerances.clear(); }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.sources.clear(); }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.golden.tolerances.clear(); }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.golden.tolerances["z"] = {}; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.golden.tolerances = {{"z", {}}}; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.golden.tolerances.begin()->second.absolute = -1.0; }));
  EXPECT_TRUE(
      malformed_after([](auto& r) { r.golden.tolerances.begin()->second.max_mismatch_fraction = 2.0; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.created = "yesterday"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.weights_sha256 = "abc"; }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.sources.resize(5000, r.sources.front()); }));
  EXPECT_TRUE(malformed_after([](auto& r) { r.options["k"] = std::string(70000, 'x'); }));
}

TEST(BuildRecord, AnotherSchemaOrKindIsRefused) {
  Json json = Json::parse(encode_build_record(plan_record()));
  json["schema"] = 2;
  EXPECT_TRUE(malformed(json.dump()));
  json["schema"] = 1;
  EXPECT_TRUE(accepted(decode_build_record(json.dump())));
  json["kind"] = "skua.flight-manifest";
  EXPECT_TRUE(malformed(json.dump()));
}

TEST(BuildRecord, AnEntryHasTheRecordsFieldsAndTheFoldersPath) {
  const EngineRecord record = calibrated_record();
  const EngineCacheEntry entry = to_entry(record, "/cache");
  EXPECT_EQ(entry.engine_path, fs::path("/cache") / record.file);
  EXPECT_EQ(entry.model, record.model);
  EXPECT_EQ(entry.runtime_label, record.runtime_label);
  EXPECT_EQ(entry.host, record.host);
  EXPECT_EQ(entry.precision, record.precision);
  EXPECT_EQ(entry.engine_sha256, record.engine_sha256);
  EXPECT_EQ(entry.size_bytes, record.size_bytes);
  EXPECT_EQ(entry.device_memory_bytes, record.device_memory_bytes);
  EXPECT_EQ(entry.model_sha256, record.model_sha256);
  EXPECT_EQ(entry.build_config_sha256, record.build_config_sha256);
  EXPECT_EQ(entry.calibration, record.calibration);
  EXPECT_EQ(entry.inputs, record.inputs);
  EXPECT_EQ(entry.outputs, record.outputs);
}

class BuildKey : public testing::Test {
 protected:
  BuildKey() {
    config_.runtime = "onnx_trt_ep";
    config_.execution_provider = "cpu";
    base_ = key();
  }
  Sha256 key() const { return build_key(build_, config_).value(); }
  BuildConfig build_;
  RuntimeConfig config_;
  Sha256 base_;
};

TEST_F(BuildKey, ChangesWithWhatChangesTheArtifact) {
  const auto changed = [&](auto change) {
    RuntimeConfig config = config_;
    BuildConfig build;
    change(build, config);
    return build_key(build, config).value() != base_;
  };
  EXPECT_FALSE(changed([](auto&, auto&) {})) << "the control";
  EXPECT_TRUE(changed([](auto& b, auto&) { b.precision = Precision::kFp32; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.workspace_mb = 7; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.calibration_dataset = "/data"; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.allow_cpu_ranges = true; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.accuracy_dataset = "/data"; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.accuracy.relative_l2 = 0.05; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.calibration_algorithm = "minmax"; }));
  EXPECT_TRUE(changed([](auto& b, auto&) {
    b.optimization_profiles = {{"x", Shape{1}, Shape{2}, Shape{3}}};
  }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.keep_fp32 = {"head*"}; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.max_output_shapes = {{"y", Shape{9}}}; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.build_route = BuildRoute::kTrtexec; }));
  EXPECT_TRUE(changed([](auto& b, auto&) { b.tolerances = {{"y", {}}}; }));
  EXPECT_TRUE(changed([](auto&, auto& c) { c.runtime = "tensorrt"; }));
  EXPECT_TRUE(changed([](auto&, auto& c) { c.execution_provider = "cuda"; }));
}

TEST_F(BuildKey, DoesNotChangeWithTheRest) {
  config_.intra_op_threads = 4;
  config_.engine_cache_dir = "/elsewhere";
  config_.lanes = {{"c2_vpr"}};
  build_.model_name = "other";
  EXPECT_EQ(key(), base_);
  config_.runtime = "tensorrt";
  const Sha256 tensorrt = key();
  config_.execution_provider = "cuda";  // an option of another runtime
  EXPECT_EQ(key(), tensorrt);
}

TEST_F(BuildKey, DoesNotDependOnTheOrderOfLists) {
  build_.keep_fp32 = {"b", "a"};
  build_.optimization_profiles = {{"y", Shape{1}, Shape{1}, Shape{1}}, {"x", Shape{2}, Shape{2}, Shape{2}}};
  const Sha256 one = key();
  std::swap(build_.keep_fp32[0], build_.keep_fp32[1]);
  std::swap(build_.optimization_profiles[0], build_.optimization_profiles[1]);
  EXPECT_EQ(key(), one);
}

TEST_F(BuildKey, FollowsTheGoldenFilesContentNotItsPath) {
  const TempFolder temp;
  build_.golden = GoldenSource{temp.write("a", "one"), "eager"};
  const Sha256 one = key();
  EXPECT_NE(one, base_);
  build_.golden->file = temp.write("moved/b", "one");
  EXPECT_EQ(key(), one);
  temp.write("moved/b", "two");
  EXPECT_NE(key(), one);
  build_.golden = GoldenSource{temp.path() / "a", "other origin"};
  EXPECT_NE(key(), one);
  build_.golden->file = temp.path() / "none";
  EXPECT_TRUE(refused(build_key(build_, config_), ErrorCode::kInvalidArgument, Reason::kNotFound));
}

}  // namespace
}  // namespace skua::test::engine_record_tests
