#include "compile/finish_record.h"

#include "skua_build_id.h"

#include "compile/golden_steps.h"
#include "compile_fixture.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

compile::RuntimeFacts facts() {
  return {"fake", {{"device", "cpu"}}, "fp32", "an id", "a digest", "an exporter"};
}

TEST(FinishRecord, HoldsRequestFactsAndBytes) {
  CompilationCase net;
  const std::string artifact = "artifact";
  net.compilation.artifact.assign(bytes_of(artifact).begin(), bytes_of(artifact).end());
  net.request.host.cpu_arch = "x86_64";
  ASSERT_TRUE(is_ok(compile::finish_record(net.compilation, facts())));
  const EngineRecord& record = net.compilation.record;
  EXPECT_EQ(record.file, net.request.artifact_name);
  EXPECT_EQ(record.model, "net");
  EXPECT_EQ(record.host, net.request.host);
  EXPECT_EQ(record.precision, Precision::kFp32);
  EXPECT_EQ(record.runtime_label, "fake");
  EXPECT_EQ(record.options.at("device"), "cpu");
  EXPECT_EQ(record.arithmetic, "fp32");
  EXPECT_EQ(record.model_id, "an id");
  EXPECT_EQ(record.weights_sha256, "a digest");
  EXPECT_EQ(record.exporter, "an exporter");
  EXPECT_EQ(record.builder, SKUA_BUILD_ID);
  EXPECT_FALSE(record.created.empty());
  EXPECT_TRUE(record.proven);
  EXPECT_EQ(record.engine_sha256, Sha256Sidecar::digest(bytes_of(artifact)));
  EXPECT_EQ(record.size_bytes, artifact.size());
  EXPECT_EQ(record.build_config_sha256, build_key(net.request.build, net.request.config).value());
}

TEST(FinishRecord, ReuseKeyIsOfTheGoldenBytesThatWereRead) {
  CompilationCase net;
  net.give_golden(floats(Shape{1, 2}, {1, 2}), floats(Shape{1, 2}, {2, 4}));
  const auto read_key = build_key(net.request.build, net.request.config).value();
  ASSERT_TRUE(is_ok(compile::read_golden(net.compilation)));
  ASSERT_TRUE(is_ok(compile::write_golden(net.compilation)));
  net.folder.write("my.golden", "changed since");
  ASSERT_TRUE(is_ok(compile::finish_record(net.compilation, facts())));
  EXPECT_EQ(net.compilation.record.build_config_sha256, read_key);
  EXPECT_NE(build_key(net.request.build, net.request.config).value(), read_key);
}

}  // namespace
}  // namespace skua::test
