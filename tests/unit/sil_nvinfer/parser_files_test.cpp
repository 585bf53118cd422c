// What the software-in-the-loop parser makes of files and of weights beside them.
#include "models.h"
#include "sil_nvinfer_fixture.h"
#include "temp_folder.h"

namespace skua::sil_test {
namespace {

using test::kFloat;

std::string external_model(const std::string& location, std::int64_t length = 16) {
  return OnnxWriter()
      .input("x", kFloat, {4})
      .output("y", kFloat, {4})
      .external_weights("W", kFloat, {4}, location, 0, length)
      .node("Add", {"x", "W"}, {"y"})
      .model();
}

class SilParserFiles : public SilNvinfer {
 protected:
  std::string put(const std::string& name, const std::string& bytes) {
    return folder.write(name, bytes).string();
  }
  /// The description of the first error of parsing a file; "" when it parses.
  std::string fault(const char* path) {
    Workshop workshop(listener);
    if (workshop.parser->parseFromFile(path, 0)) return "";
    code = static_cast<int>(workshop.parser->getError(0)->code());
    return workshop.parser->getError(0)->desc();
  }

  test::TempFolder folder;
  int code = 0;
};

TEST_F(SilParserFiles, AFileParses) { EXPECT_EQ(fault(put("m.onnx", test::mlp_model()).c_str()), ""); }

TEST_F(SilParserFiles, AMissingFileAndAFolderAreRefused) {
  const std::string text = "Input file cannot be found, or is not a regular file: ";
  for (const std::string& path : {folder.path().string() + "/none.onnx", folder.path().string()}) {
    EXPECT_EQ(fault(path.c_str()), text + path);
    EXPECT_EQ(code, 4);
  }
}

TEST_F(SilParserFiles, ANullPathIsRefused) {
  EXPECT_EQ(fault(nullptr), "Input file cannot be empty.");
  EXPECT_EQ(code, 4);
}

TEST_F(SilParserFiles, WeightsBesideTheFileAreRead) {
  put("w.bin", raw<float>({1, 2, 3, 4}));
  const std::string path = put("m.onnx", external_model("w.bin"));
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parser->parseFromFile(path.c_str(), 0)) << listener.errors();
  EXPECT_NE(workshop.build(), "") << listener.errors();
}

struct ExternalRow {
  const char* name;
  const char* location;
  std::int64_t length;
  const char* log;
};

class SilParserExternal : public SilParserFiles, public testing::WithParamInterface<ExternalRow> {};

TEST_P(SilParserExternal, IsRefusedWithTheCauseInTheLog) {
  const ExternalRow& row = GetParam();
  put("w.bin", std::string(10, '\0'));
  EXPECT_EQ(fault(put("m.onnx", external_model(row.location, row.length)).c_str()),
            "Failed to import initializer: W");
  EXPECT_EQ(code, 5);
  EXPECT_NE(listener.errors().find(row.log), std::string::npos) << listener.errors();
}

INSTANTIATE_TEST_SUITE_P(
    Rows, SilParserExternal,
    testing::Values(ExternalRow{"missing", "x.bin", 16, "Failed to open file: "},
                    ExternalRow{"short", "w.bin", 16, "(offset=0, length=16, file size=10)"},
                    ExternalRow{"parent", "../w.bin", 16, "Relative paths to parent (../)"},
                    ExternalRow{"absolute", "/tmp/w.bin", 16, "//tmp/w.bin"}),
    [](const auto& row) { return row.param.name; });

TEST_F(SilParserFiles, BytesWithoutAPathHaveNoWeightsBesideThem) {
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(external_model("w.bin")));
  EXPECT_STREQ(workshop.parser->getError(0)->desc(), "Failed to import initializer: W");
}

}  // namespace
}  // namespace skua::sil_test
