#include "bootstrap/file_metadata.h"

#include <gmock/gmock.h>

#include <string>

#include "onnx_writer.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string onnx_with(const ModelMetadata& metadata) {
  WireMessage model;
  model.integer(1, 8).text(2, "exporter").text(7, std::string(5000, '\1'));
  for (const auto& [key, value] : metadata) {
    WireMessage entry;
    entry.text(1, key).text(2, value);
    model.message(14, entry);
  }
  return model.bytes();
}

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8U) text += static_cast<char>(value & 0xFFU);
  return text;
}

/// A zip of stored entries, as TorchScript archives are.
std::string zip_with(const ModelMetadata& metadata) {
  std::string files, directory;
  std::uint64_t count = 0;
  for (const auto& [key, value] : metadata) {
    const std::string name = "net/" + key;
    const std::string sizes = number(value.size(), 4) + number(value.size(), 4) + number(name.size(), 2);
    directory +=
        "PK\x01\x02" + std::string(16, '\0') + sizes + number(0, 12) + number(files.size(), 4) + name;
    files += "PK\x03\x04" + std::string(14, '\0') + sizes + number(0, 2) + name + value;
    ++count;
  }
  return files + directory + "PK\x05\x06" + number(0, 4) + number(count, 2) + number(count, 2) +
         number(directory.size(), 4) + number(files.size(), 4) + number(0, 2);
}

TEST(ModelMetadata, OnnxProperties) {
  const TempFolder folder;
  const auto file = folder.write("a.onnx", onnx_with({{kModelIdKey, "net-1"}, {"other", "x"}}));
  const auto metadata = read_onnx_metadata(file);
  ASSERT_TRUE(metadata.ok()) << metadata.error().message;
  EXPECT_THAT(*metadata, UnorderedElementsAre(Pair(kModelIdKey, "net-1"), Pair("other", "x")));
}

TEST(ModelMetadata, TorchScriptExtraFiles) {
  const TempFolder folder;
  const auto file = folder.write("a.pt", zip_with({{"extra/skua.model_id", "net-1"}, {"data.pkl", "x"}}));
  const auto metadata = read_torchscript_metadata(file);
  ASSERT_TRUE(metadata.ok()) << metadata.error().message;
  EXPECT_THAT(*metadata, UnorderedElementsAre(Pair(kModelIdKey, "net-1")));
}

TEST(ModelMetadata, TruncatedFilesNeverCrashAndNeverInvent) {
  const TempFolder folder;
  const std::string onnx = onnx_with({{kModelIdKey, "net-1"}});
  const std::string zip = zip_with({{"extra/skua.model_id", "net-1"}});
  for (std::size_t cut = 1; cut < 64; ++cut) {
    const auto a = read_onnx_metadata(folder.write("a.onnx", onnx.substr(0, onnx.size() * cut / 64)));
    EXPECT_TRUE(!a.ok() || a->empty()) << cut;
    const auto b = read_torchscript_metadata(folder.write("a.pt", zip.substr(0, zip.size() * cut / 64)));
    ASSERT_FALSE(b.ok()) << cut;
    EXPECT_EQ(b.error().reason, Reason::kModelMalformed);
  }
  EXPECT_EQ(read_onnx_metadata(folder.path() / "none.onnx").error().reason, Reason::kModelMissing);
  EXPECT_EQ(read_onnx_metadata(folder.path()).error().reason, Reason::kModelMissing);
}

TEST(ModelMetadata, TwoFilesOfOneNetworkMustAgreeWhereBothSpeak) {
  const TempFolder folder;
  const auto onnx = folder.write("a.onnx", onnx_with({{kModelIdKey, "net-1"}, {kWeightsKey, "aa"}}));
  EXPECT_TRUE(check_same_model(onnx, folder.write("same.pt", zip_with({{"extra/skua.model_id", "net-1"},
                                                                       {"extra/skua.weights_sha256", "aa"}})))
                  .ok());
  EXPECT_TRUE(check_same_model(onnx, folder.write("silent.pt", zip_with({{"data.pkl", "x"}}))).ok());
  const auto id = check_same_model(onnx, folder.write("id.pt", zip_with({{"extra/skua.model_id", "net-2"}})));
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().reason, Reason::kModelIdMismatch);
  EXPECT_THAT(id.error().message, HasSubstr("net-2"));
  const auto weights =
      check_same_model(onnx, folder.write("w.pt", zip_with({{"extra/skua.weights_sha256", "bb"}})));
  ASSERT_FALSE(weights.ok());
  EXPECT_EQ(weights.error().reason, Reason::kModelIdMismatch);
}

}  // namespace
}  // namespace skua::test
