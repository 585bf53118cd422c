// The golden vectors of a compilation, without any runtime.
#include "compile/golden_steps.h"

#include <limits>

#include "compile_fixture.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

class GoldenSteps : public testing::Test {
 protected:
  Status read_golden() { return compile::read_golden(net.compilation); }
  /// The verdict on an artifact that doubles, when `y` is expected for `x`.
  Status compare(const std::vector<float>& x, const std::vector<float>& y) {
    EXPECT_TRUE(is_ok(compile::settle_tolerances(net.compilation)));
    net.compilation.golden.inputs = CompilationCase::one_tensor("x", floats(Shape{1, 2}, x));
    net.compilation.golden.outputs = CompilationCase::one_tensor("y", floats(Shape{1, 2}, y));
    net.compilation.record.golden.origin = "by hand";
    return compile::compare_with_golden(net.compilation, execution);
  }
  std::string staged_golden() const { return net.folder.read("staging/" + net.compilation.golden_name()); }

  CompilationCase net;
  EngineRecord& record = net.compilation.record;
  DoublingExecution execution;
};

TEST_F(GoldenSteps, TolerancesAreTheRequestsOrTheDefault) {
  record.outputs.push_back({"z", DType::kFloat32, Shape{1}, Shape{1}, false});
  net.request.build.tolerances["z"] = Tolerance{0.5, 0.25};
  ASSERT_TRUE(is_ok(compile::settle_tolerances(net.compilation)));
  EXPECT_EQ(record.golden.tolerances.at("y"), default_tolerance(Precision::kFp32, record.outputs[0]));
  EXPECT_EQ(record.golden.tolerances.at("z"), (Tolerance{0.5, 0.25}));
}

TEST_F(GoldenSteps, ToleranceOfNoOutputIsInvalid) {
  net.request.build.tolerances["z"] = Tolerance{};
  EXPECT_TRUE(is_error(compile::settle_tolerances(net.compilation), ErrorCode::kInvalidArgument,
                       Reason::kInvalidArgument, "'z'"));
}

TEST_F(GoldenSteps, UsersFileIsTakenWithItsOrigin) {
  net.give_golden(floats(Shape{1, 2}, {1, 2}), floats(Shape{1, 2}, {2, 4}));
  ASSERT_TRUE(is_ok(read_golden()));
  EXPECT_EQ(record.golden.origin, "by hand");
  EXPECT_EQ(read<float>(net.compilation.golden.outputs.find("y")->view()), (std::vector<float>{2, 4}));
}

TEST_F(GoldenSteps, MissingAndGarbageFilesAreRefused) {
  net.request.build.golden = GoldenSource{net.folder.path() / "absent.golden", "by hand"};
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMissing, "absent.golden"));
  net.request.build.golden->file = net.folder.write("bad.golden", "nonsense");
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "bad.golden"));
}

TEST_F(GoldenSteps, WrongShapeOrTypeIsMalformed) {
  net.give_golden(floats(Shape{1, 1}, {1}), floats(Shape{1, 2}, {2, 4}));
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "'x'"));
  net.give_golden(floats(Shape{2}, {1, 2}), floats(Shape{1, 2}, {2, 4}));
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "'x'"));
  net.give_golden(floats(Shape{1, 2}, {1, 2}), Tensor::allocate(DType::kInt32, Shape{1, 2}).value());
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "'y'"));
}

TEST_F(GoldenSteps, UnknownNameOrNumberIsMalformed) {
  const auto row = [] { return floats(Shape{1, 2}, {0, 0}); };
  net.give_golden(CompilationCase::one_tensor("image", row()), CompilationCase::one_tensor("y", row()));
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "'x'"));
  net.give_golden(CompilationCase::one_tensor("x", row()), TensorMap());
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "number of outputs"));
}

TEST_F(GoldenSteps, InputsLieWithinTheProfiles) {
  net.set_dynamic();
  net.give_golden(floats(Shape{2, 2}, {1, 2, 3, 4}), floats(Shape{2, 2}, {2, 4, 6, 8}));
  EXPECT_TRUE(is_ok(read_golden()));
  net.give_golden(floats(Shape{1, 2}, {1, 2}), floats(Shape{1, 2}, {2, 4}));
  EXPECT_TRUE(is_build_error(read_golden(), Reason::kGoldenMalformed, "from 2x2 to 5x2"));
}

TEST_F(GoldenSteps, UsersFileIsKeptByteForByteAsItWasRead) {
  net.give_golden(floats(Shape{1, 2}, {1, 2}), floats(Shape{1, 2}, {2, 4}));
  const std::string text = net.folder.read("my.golden");
  ASSERT_TRUE(is_ok(read_golden()));
  net.folder.write("my.golden", "changed since");
  ASSERT_TRUE(is_ok(compile::write_golden(net.compilation)));
  EXPECT_EQ(staged_golden(), text);
  EXPECT_EQ(record.golden.file, net.compilation.golden_name());
  EXPECT_EQ(record.golden.sha256, Sha256Sidecar::digest(bytes_of(text)));
  EXPECT_EQ(record.golden.size_bytes, text.size());
}

// Here the bytes are of no golden file, so that encoding the vectors again cannot give the same ones.
TEST_F(GoldenSteps, BytesOfTheUserAreNotEncodedAgain) {
  const std::string text = "as it was read";
  net.compilation.golden_bytes.assign(bytes_of(text).begin(), bytes_of(text).end());
  ASSERT_TRUE(is_ok(compile::write_golden(net.compilation)));
  EXPECT_EQ(staged_golden(), text);
}

TEST_F(GoldenSteps, ComputedVectorsAreWritten) {
  const Tensor x = floats(Shape{1, 2}, {1, 2});
  const Tensor y = floats(Shape{1, 2}, {2, 4});
  ASSERT_TRUE(is_ok(compile::keep_copy(net.compilation.golden.inputs, "x", x.view())));
  ASSERT_TRUE(is_ok(compile::keep_copy(net.compilation.golden.outputs, "y", y.view())));
  y.as<float>()[0] = 7;  // it was a copy
  ASSERT_TRUE(is_ok(compile::write_golden(net.compilation)));
  const auto golden = decode_golden(bytes_of(staged_golden()));
  ASSERT_TRUE(is_ok(golden));
  EXPECT_EQ(read<float>(golden->inputs.find("x")->view()), (std::vector<float>{1, 2}));
  EXPECT_EQ(read<float>(golden->outputs.find("y")->view()), (std::vector<float>{2, 4}));
}

TEST_F(GoldenSteps, ArtifactThatReproducesThemSaysHowNear) {
  ASSERT_TRUE(is_ok(compare({1, 2}, {2, 4})));
  EXPECT_EQ(execution.runs, (std::vector<std::vector<float>>{{1, 2}}));
  EXPECT_EQ(record.proof.at("golden.max_abs.y"), "0");
  EXPECT_EQ(record.proof.count("golden.non_finite_outputs"), 0U);
}

TEST_F(GoldenSteps, ArtifactThatDoesNotIsRefusedNamingTheOrigin) {
  EXPECT_TRUE(is_build_error(compare({1, 2}, {2, 5}), Reason::kGoldenMismatch, "by hand"));
}

TEST_F(GoldenSteps, GoldenShapeIsTheOneThatRuns) {
  net.set_dynamic();
  EXPECT_TRUE(is_ok(compile::settle_tolerances(net.compilation)));
  net.compilation.golden.inputs = CompilationCase::one_tensor("x", floats(Shape{2, 2}, {1, 2, 3, 4}));
  net.compilation.golden.outputs = CompilationCase::one_tensor("y", floats(Shape{2, 2}, {2, 4, 6, 8}));
  EXPECT_TRUE(is_ok(compile::compare_with_golden(net.compilation, execution)));
  EXPECT_EQ(execution.runs, (std::vector<std::vector<float>>{{1, 2, 3, 4}}));
}

TEST_F(GoldenSteps, OutputsThatAreNotFiniteAreNamed) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ASSERT_TRUE(is_ok(compare({1, kInfinity}, {2, kInfinity})));
  EXPECT_NE(record.proof.at("golden.non_finite_outputs").find("y"), std::string::npos);
}

TEST_F(GoldenSteps, FailedRunKeepsItsReason) {
  execution.failure = make_error(ErrorCode::kInference, Reason::kExecutionFailed, "the SDK's text");
  EXPECT_TRUE(is_build_error(compare({1, 2}, {2, 4}), Reason::kExecutionFailed, "golden inputs"));
}

}  // namespace
}  // namespace skua::test
