// Compiling on the real library: what comes out, and every bad input as a typed error.
#include <filesystem>

#include "cache/golden.h"
#include "ort_fixture.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

testing::AssertionResult staging_is_empty(const CompileCase& compile_case) {
  const auto staging = compile_case.folder.path() / "staging";
  if (std::filesystem::is_empty(staging)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << std::filesystem::directory_iterator(staging)->path();
}

TEST(Compile, AddReluOnTheCpu) {
  CompileCase add_relu(add_relu_model());
  const auto record = add_relu.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->model, "net");
  EXPECT_EQ(record->runtime_label, "onnx_trt_ep");
  EXPECT_EQ(record->arithmetic, "fp32");
  EXPECT_EQ(record->model_id, "test-add-relu");
  EXPECT_EQ(record->options.at("graph_optimization"), "all");
  EXPECT_EQ(record->options.at("execution_provider"), "cpu");
  EXPECT_EQ(record->proof.count("nodes.CPUExecutionProvider"), 1U);
  ASSERT_EQ(record->sources.size(), 1U);
  EXPECT_EQ(record->sources[0].name, "net.onnx");
  EXPECT_EQ(record->model_sha256, record->sources[0].sha256);
  EXPECT_GT(record->device_memory_bytes, 0U);
  EXPECT_TRUE(record->proven);
}

TEST(Compile, RecordIsCompleteAndCanBeKept) {
  CompileCase add_relu(add_relu_model());
  const EngineRecord record = add_relu.compile().value();
  const auto decoded = decode_build_record(encode_build_record(record));
  ASSERT_TRUE(is_ok(decoded));
  EXPECT_EQ(*decoded, record);
  EXPECT_EQ(record.engine_sha256, Sha256Sidecar::digest(bytes_of(add_relu.artifact())));
  EXPECT_EQ(record.size_bytes, add_relu.artifact().size());
}

// What is promised to the memory budget must cover what the inputs, outputs and weights of this engine need
// at least.
TEST(Compile, MemoryFigureCoversTheActivations) {
  const auto figure = [](std::int64_t rows) {
    CompileCase rows_case(dynamic_rows_model());
    rows_case.request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{rows, 4}}};
    return rows_case.compile().value().device_memory_bytes;
  };
  constexpr std::uint64_t kOutputBytes = 1000000ULL * 3 * sizeof(float);
  EXPECT_GE(figure(1000000), kOutputBytes);
  EXPECT_LT(figure(5), kOutputBytes);
}

TEST(Compile, LeavesArtifactAndGoldenFileOnly) {
  CompileCase add_relu(add_relu_model());
  ASSERT_TRUE(is_ok(add_relu.compile()));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(add_relu.folder.path() / "staging")) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre(add_relu.request.artifact_name,
                                                   add_relu.request.artifact_name + ".golden"));
}

TEST(Compile, GoldenVectorsComeFromTheSource) {
  CompileCase mlp(mlp_model());
  const EngineRecord record = mlp.compile().value();
  EXPECT_NE(record.golden.origin.find("optimiser off"), std::string::npos);
  const std::string text = mlp.folder.read("staging/" + record.golden.file);
  EXPECT_EQ(text.size(), record.golden.size_bytes);
  const auto golden = decode_golden(bytes_of(text));
  ASSERT_TRUE(is_ok(golden));
  EXPECT_EQ(golden->inputs.find("x")->view().shape, (Shape{1, 8}));
  EXPECT_EQ(golden->outputs.find("y")->view().shape, (Shape{1, 4}));
  EXPECT_EQ(record.golden.tolerances.count("y"), 1U);
}

TEST(Compile, HalfGraphKeepsHalfWeights) {
  CompileCase half(half_mlp_model(), Precision::kFp16);
  const auto record = half.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->arithmetic, "fp16 weights, fp32 arithmetic");
  EXPECT_EQ(record->options.at("graph_optimization"), "extended");
  EXPECT_EQ(record->proof.at("weight_bytes.float16"), "384");
  EXPECT_EQ(record->proof.count("weight_bytes.float32"), 0U);
}

TEST(Compile, DynamicInputWithItsProfile) {
  CompileCase rows(dynamic_rows_model());
  rows.request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  const auto record = rows.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->inputs[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(record->inputs[0].max_shape, (Shape{5, 4}));
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{5, 3}));
}

TEST(Compile, DynamicInputWithoutProfileIsRefused) {
  CompileCase rows(dynamic_rows_model());
  EXPECT_TRUE(is_error(rows.compile(), ErrorCode::kInvalidArgument, Reason::kProfileMismatch, "x"));
  EXPECT_TRUE(staging_is_empty(rows));
}

TEST(Compile, UnboundedOutputIsRefusedNamingTheOption) {
  CompileCase non_zero(non_zero_model());
  EXPECT_TRUE(is_build_error(non_zero.compile(), Reason::kOutputUnbounded, "max_output_shapes"));
}

TEST(Compile, BoundThatTheTrialExceedsIsRefused) {
  CompileCase non_zero(non_zero_model());
  non_zero.request.build.max_output_shapes = {{"y", Shape{1, 2}}};
  EXPECT_TRUE(is_build_error(non_zero.compile(), Reason::kOutputOverflow, "max_output_shapes"));
}

TEST(Compile, ExternalWeightsAreFoldedIn) {
  const std::string weights = std::string(16, '\0') + raw<float>({1, 2, 3, 4});
  CompileCase external(OnnxWriter()
                           .input("x", kFloat, {4})
                           .output("y", kFloat, {4})
                           .external_weights("w", kFloat, {4}, "weights/w.bin", 16, 16)
                           .node("Add", {"x", "w"}, {"y"})
                           .model());
  external.folder.write("model/weights/w.bin", weights);
  const auto record = external.compile();
  ASSERT_TRUE(is_ok(record));
  ASSERT_EQ(record->sources.size(), 2U);
  EXPECT_EQ(record->sources[1].name, "weights/w.bin");
  EXPECT_NE(record->model_sha256, record->sources[0].sha256);
  const auto folder = external.folder.path() / "model";
  const auto on_disk = Sha256Sidecar::aggregate_hash({folder / "net.onnx", folder / "weights/w.bin"});
  EXPECT_EQ(record->model_sha256, on_disk.value());
  EXPECT_EQ(compile::aggregate_of(record->sources).value(), on_disk.value());
  std::filesystem::remove_all(external.folder.path() / "model");
  const std::string artifact = external.artifact();
  auto engine = ort::load_engine(real_library(), cpu_config(), bytes_of(artifact), *record).value();
  auto execution = engine->create_execution().value();
  write<float>(execution->input(0), {10, 20, 30, 40});
  ASSERT_TRUE(is_ok(execution->run(std::nullopt)));
  EXPECT_EQ(read<float>(execution->output(0)), (std::vector<float>{11, 22, 33, 44}));
}

Result<EngineRecord> with_external(const std::string& location, std::int64_t offset, std::int64_t length) {
  CompileCase external(OnnxWriter()
                           .input("x", kFloat, {4})
                           .output("y", kFloat, {4})
                           .external_weights("w", kFloat, {4}, location, offset, length)
                           .node("Add", {"x", "w"}, {"y"})
                           .model());
  external.folder.write("model/w.bin", std::string(16, '\0'));
  external.folder.write("outside.bin", std::string(16, '\0'));
  std::filesystem::create_symlink(external.folder.path() / "outside.bin",
                                  external.folder.path() / "model/link.bin");
  return external.compile();
}

TEST(Compile, ExternalWeightsElsewhereAreRefused) {
  EXPECT_TRUE(is_ok(with_external("w.bin", 0, 16)));
  EXPECT_TRUE(
      is_build_error(with_external("../outside.bin", 0, 16), Reason::kExternalWeights, "outside.bin"));
  EXPECT_TRUE(
      is_build_error(with_external("/etc/hostname", 0, 16), Reason::kExternalWeights, "/etc/hostname"));
  EXPECT_TRUE(is_build_error(with_external("link.bin", 0, 16), Reason::kExternalWeights, "link.bin"));
  EXPECT_TRUE(is_build_error(with_external("missing.bin", 0, 16), Reason::kExternalWeights, "missing.bin"));
  EXPECT_TRUE(is_build_error(with_external("w.bin", 8, 16), Reason::kExternalWeights, "16 bytes"));
  EXPECT_TRUE(is_build_error(with_external("w.bin", -1, 16), Reason::kExternalWeights));
  EXPECT_TRUE(is_build_error(with_external("", 0, 16), Reason::kExternalWeights));
}

TEST(CompileBadInput, MissingEmptyAndFolder) {
  CompileCase missing(add_relu_model());
  missing.request.model_path = missing.folder.path() / "model/absent.onnx";
  EXPECT_TRUE(is_build_error(missing.compile(), Reason::kModelMissing, "absent.onnx"));
  missing.request.model_path = missing.folder.path() / "model";
  EXPECT_TRUE(is_build_error(missing.compile(), Reason::kModelUnreadable, "regular file"));
  CompileCase empty("");
  EXPECT_TRUE(is_build_error(empty.compile(), Reason::kModelEmpty, "empty file"));
  EXPECT_TRUE(staging_is_empty(empty));
}

TEST(CompileBadInput, LargerThanOneProtobufFile) {
  CompileCase large(add_relu_model());
  std::filesystem::resize_file(large.request.model_path, std::uint64_t{3} << 30U);  // sparse: takes no space
  EXPECT_TRUE(is_build_error(large.compile(), Reason::kModelTooLarge, "net.onnx"));
}

TEST(CompileBadInput, TruncatedAtEvery64th) {
  const std::string text = mlp_model();
  for (std::size_t part = 0; part < 64; ++part) {
    CompileCase cut(text.substr(0, text.size() * part / 64));
    const auto record = cut.compile();
    ASSERT_FALSE(record.ok()) << part;
    const bool is_named =
        record.error().reason == Reason::kModelMalformed || record.error().reason == Reason::kModelEmpty;
    EXPECT_TRUE(is_named && record.error().code == ErrorCode::kEngineBuild) << record.error().describe();
    EXPECT_TRUE(staging_is_empty(cut));
  }
}

TEST(CompileBadInput, OtherKindsOfFiles) {
  CompileCase text("2\bwords...");  // protobuf takes it for a network without anything
  EXPECT_TRUE(is_build_error(text.compile(), Reason::kModelEmpty, "no node"));
  CompileCase zip(std::string("PK\3\4", 4) + std::string(200, 'z'));
  EXPECT_TRUE(is_build_error(zip.compile(), Reason::kModelMalformed, ".pt"));
  CompileCase garbage(std::string(4096, '\xa5'));
  EXPECT_TRUE(is_build_error(garbage.compile(), Reason::kModelMalformed));
}

TEST(CompileBadInput, WellFormedButNoNetwork) {
  OnnxWriter unknown;
  unknown.input("x", kFloat, {4}).output("y", kFloat, {4}).node("NoSuchOperator", {"x"}, {"y"});
  CompileCase operator_case(unknown.model());
  const auto record = operator_case.compile();
  ASSERT_FALSE(record.ok());
  EXPECT_TRUE(is_build_error(record, Reason::kModelUnsupported, "NoSuchOperator"));
  EXPECT_TRUE(is_build_error(record, Reason::kModelUnsupported, "change the export"));
  EXPECT_NE(record.error().native_code, 0);
  OnnxWriter dangling;
  dangling.input("x", kFloat, {4}).output("y", kFloat, {4}).node("Add", {"x", "nobody"}, {"y"});
  const auto broken = CompileCase(dangling.model()).compile();
  EXPECT_TRUE(is_build_error(broken, Reason::kModelMalformed, "nobody"));
  EXPECT_TRUE(is_build_error(broken, Reason::kModelMalformed, "export it again"));
}

TEST(CompileBadInput, StringAndSequenceOutputsAreUnsupported) {
  OnnxWriter text;
  text.input("x", kFloat, {4})
      .output("y", kText, {4})
      .node("Cast", {"x"}, {"y"}, {onnx_integer_attribute("to", 8)});
  EXPECT_TRUE(is_build_error(CompileCase(text.model()).compile(), Reason::kModelUnsupported, "'y'"));
  OnnxWriter sequence;
  sequence.input("x", kFloat, {4}).sequence_output("y", kFloat).node("SequenceConstruct", {"x"}, {"y"});
  EXPECT_TRUE(is_build_error(CompileCase(sequence.model()).compile(), Reason::kModelUnsupported, "'y'"));
  OnnxWriter words;
  words.input("x", kText, {4}).output("y", kText, {4}).node("Identity", {"x"}, {"y"});
  EXPECT_TRUE(is_build_error(CompileCase(words.model()).compile(), Reason::kModelUnsupported, "'x'"));
}

TEST(CompileRequests, PrecisionUnprovenAndProvidersAreRefused) {
  EXPECT_TRUE(
      is_build_error(CompileCase(mlp_model(), Precision::kFp16).compile(), Reason::kPrecisionNotSupported));
  CompileCase unproven(add_relu_model());
  unproven.request.unproven = true;
  EXPECT_TRUE(is_build_error(unproven.compile(), Reason::kUnprovenNotSupported));
  CompileCase gpu(add_relu_model());
  gpu.request.config.execution_provider = "tensorrt";
  EXPECT_TRUE(is_build_error(gpu.compile(), Reason::kProviderNotAvailable, "tensorrt"));
  CompileCase library(add_relu_model());
  library.request.config.onnxruntime_library = "/nonexistent/lib.so";
  EXPECT_TRUE(is_error(library.compile(), ErrorCode::kRuntimeNotAvailable, Reason::kSdkMissing));
}

class UserGolden : public testing::Test {
 protected:
  UserGolden() : compile_case(add_relu_model()) {}
  Result<EngineRecord> compile_with(float shift) {
    Tensor x = Tensor::allocate(DType::kFloat32, Shape{1, 64}).value();
    Tensor y = Tensor::allocate(DType::kFloat32, Shape{1, 64}).value();
    for (std::size_t i = 0; i < 64; ++i)
      y.as<float>()[i] = std::max(0.0F, (static_cast<float>(i % 7) - 3.0F) / 8.0F);
    y.as<float>()[5] += shift;
    TensorMap inputs, outputs;
    EXPECT_TRUE(is_ok(inputs.insert("x", std::move(x))));
    EXPECT_TRUE(is_ok(outputs.insert("y", std::move(y))));
    const auto bytes = encode_golden(inputs, outputs).value();
    const auto file = compile_case.folder.write(
        "my.golden", std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    compile_case.request.build.golden = GoldenSource{file, "by hand"};
    return compile_case.compile();
  }
  CompileCase compile_case;
};

TEST_F(UserGolden, RightValuesAreTakenWithTheirOrigin) {
  const auto record = compile_with(0.0F);
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->golden.origin, "by hand");
}

class ChangesFile final : public CompileProgress {
 public:
  explicit ChangesFile(std::filesystem::path path) : path_(std::move(path)) {}
  void step(std::string_view text) override {
    if (text == "completing the record") std::filesystem::resize_file(path_, 1);
  }

 private:
  std::filesystem::path path_;
};

TEST_F(UserGolden, RecordSpeaksOfTheBytesThatWereRead) {
  ASSERT_TRUE(is_ok(compile_with(0.0F)));
  const CompileRequest& request = compile_case.request;
  const auto read_key = build_key(request.build, request.config).value();
  const Sha256 digest = Sha256Sidecar::digest(bytes_of(compile_case.folder.read("my.golden")));
  std::filesystem::remove_all(request.staging_dir);
  std::filesystem::create_directory(request.staging_dir);
  ChangesFile progress(request.build.golden->file);
  const auto record = ort::compile_onnx(request, progress);
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->golden.sha256, digest);
  EXPECT_EQ(record->build_config_sha256, read_key);
  EXPECT_NE(build_key(request.build, request.config).value(), read_key);
}

// Made-up indices are 0 to 3: a table of four rows takes them all, a table of one does not.
TEST(CompileGolden, ModelThatRefusesMadeUpInputsHasNoReference) {
  const auto compile = [](const std::vector<float>& table) {
    return CompileCase(OnnxWriter()
                           .input("index", kInt64, {64})
                           .output("y", kFloat, {64})
                           .weights("table", kFloat, {static_cast<std::int64_t>(table.size())}, raw(table))
                           .node("Gather", {"table", "index"}, {"y"})
                           .model())
        .compile();
  };
  EXPECT_TRUE(is_ok(compile({1, 2, 3, 4})));
  EXPECT_TRUE(is_build_error(compile({1}), Reason::kReferenceUnavailable, "build.golden"));
}

// Bytes 4 to 7 are what ONNX Runtime would take for the sign of its own format.
TEST(Compile, ProducerNamedLikeAnotherFormatIsStillOnnx) {
  std::string text = add_relu_model();
  text.insert(2, "\x12\x05ORTMx");
  ASSERT_EQ(text.substr(4, 4), "ORTM");
  CompileCase named(text);
  EXPECT_TRUE(is_ok(named.compile()));
}

TEST_F(UserGolden, WrongValuesAreGoldenMismatch) {
  EXPECT_TRUE(is_build_error(compile_with(0.5F), Reason::kGoldenMismatch, "by hand"));
}

TEST(CompileTolerances, UnknownOutputIsInvalid) {
  CompileCase add_relu(add_relu_model());
  add_relu.request.build.tolerances["z"] = Tolerance{};
  EXPECT_TRUE(is_error(add_relu.compile(), ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "'z'"));
}

}  // namespace
}  // namespace skua::test
