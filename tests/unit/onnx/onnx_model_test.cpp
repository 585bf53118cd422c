// The reader of ONNX files: what it finds, and that no bytes make it read outside or crash.
#include "onnx/onnx_model.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "bytes_of.h"
#include "hot_path_counters.h"

#include "onnx/protobuf_wire.h"
#include "onnx_writer.h"
#include "verdicts.h"

namespace skua::test {
namespace {

Result<OnnxModel> parse(const std::string& text) { return parse_onnx(bytes_of(text)); }

// A heap block of exactly this size, so that a sanitizer sees any read past its end.
Result<OnnxModel> parse_exact(const std::string& text, std::size_t size) {
  const std::vector<std::byte> block(bytes_of(text).begin(),
                                     bytes_of(text).begin() + static_cast<std::ptrdiff_t>(size));
  return parse_onnx(block);
}

TEST(OnnxModel, FindsWhatIsInAModel) {
  const OnnxModel model = parse(add_relu_model()).value();
  EXPECT_EQ(model.ir_version, 8);
  EXPECT_EQ(model.opsets.at(""), 17);
  EXPECT_EQ(model.metadata_or_empty("skua.model_id"), "test-add-relu");
  EXPECT_EQ(model.metadata_or_empty("absent"), "");
  ASSERT_EQ(model.graph.nodes.size(), 2U);
  EXPECT_EQ(model.graph.nodes[0].op_type, "Add");
  EXPECT_EQ(model.graph.nodes[0].inputs, (std::vector<std::string>{"x", "bias"}));
  ASSERT_EQ(model.graph.initializers.size(), 1U);
  EXPECT_EQ(model.graph.initializers[0].type, kOnnxFloat);
  EXPECT_EQ(model.graph.initializers[0].dims, std::vector<std::int64_t>{64});
  EXPECT_EQ(model.graph.initializers[0].payload_bytes, 256U);
  EXPECT_FALSE(model.graph.initializers[0].is_external);
}

TEST(OnnxModel, KeepsNamesOfDynamicDimensions) {
  const OnnxModel model = parse(dynamic_rows_model()).value();
  ASSERT_EQ(model.graph.inputs.size(), 1U);
  ASSERT_EQ(model.graph.inputs[0].dims.size(), 2U);
  EXPECT_EQ(model.graph.inputs[0].dims[0].value, -1);
  EXPECT_EQ(model.graph.inputs[0].dims[0].symbol, "rows");
  EXPECT_EQ(model.graph.inputs[0].dims[1].value, 4);
  EXPECT_TRUE(model.graph.inputs[0].has_shape);
}

TEST(OnnxModel, InputsThatAreWeightsAreNoInputs) {
  const std::string text = OnnxWriter()
                               .input("x", kFloat, {4})
                               .input("w", kFloat, {4})
                               .output("y", kFloat, {4})
                               .weights("w", kFloat, {4}, raw<float>({1, 2, 3, 4}))
                               .node("Add", {"x", "w"}, {"y"})
                               .model();
  const OnnxModel model = parse(text).value();
  ASSERT_EQ(model.graph.inputs.size(), 1U);
  EXPECT_EQ(model.graph.inputs[0].name, "x");
}

TEST(OnnxModel, FindsWeightsAndNodesInsideSubgraphs) {
  OnnxWriter inner;
  inner.output("t", kFloat, {1})
      .weights("inner_w", kFloat, {1}, raw<float>({1}))
      .node("Identity", {"inner_w"}, {"t"});
  const std::string text = OnnxWriter()
                               .input("c", kBoolean, {1})
                               .output("y", kFloat, {1})
                               .node("If", {"c"}, {"y"},
                                     {onnx_graph_attribute("then_branch", inner.graph()),
                                      onnx_graph_attribute("else_branch", inner.graph())})
                               .model();
  const OnnxModel model = parse(text).value();
  EXPECT_EQ(all_nodes(model).size(), 3U);
  ASSERT_EQ(all_tensors(model).size(), 2U);
  EXPECT_EQ(all_tensors(model)[0]->name, "inner_w");
}

TEST(OnnxModel, ReadsWhereExternalWeightsLie) {
  const std::string text = OnnxWriter()
                               .input("x", kFloat, {4})
                               .output("y", kFloat, {4})
                               .external_weights("w", kFloat, {4}, "w.bin", 64, 16)
                               .node("Add", {"x", "w"}, {"y"})
                               .model();
  const OnnxModel model = parse(text).value();
  const OnnxTensor& weights = model.graph.initializers.at(0);
  EXPECT_TRUE(weights.is_external);
  EXPECT_EQ(weights.external.at("location"), "w.bin");
  EXPECT_EQ(weights.external.at("offset"), "64");
}

// Any prefix is either refused, or so nearly whole that only metadata is missing from it.
TEST(OnnxModel, TruncatedAnywhereIsRefusedOrComplete) {
  const std::string text = mlp_model();
  ASSERT_TRUE(is_ok(parse_exact(text, text.size())));
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_exact(text, size);
    ASSERT_FALSE(cut.ok()) << size << " of " << text.size();
    EXPECT_TRUE(cut.error().reason == Reason::kModelMalformed || cut.error().reason == Reason::kModelEmpty)
        << size;
  }
}

TEST(OnnxModel, AnyFlippedByteIsHarmless) {
  const std::string text = add_relu_model();
  std::size_t refused = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      if (!parse_exact(damaged, damaged.size()).ok()) ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
}

TEST(OnnxModel, SaysWhatAnotherFileLooksLike) {
  using namespace std::string_literals;
  const auto is_bad = [](const std::string& text, Reason reason, const std::string& part) {
    return is_build_error(parse(text), reason, part);
  };
  EXPECT_TRUE(is_bad("", Reason::kModelEmpty, "an empty file"));
  EXPECT_TRUE(is_bad("PK\3\4"s + std::string(100, 'x'), Reason::kModelMalformed, "PyTorch .pt"));
  EXPECT_TRUE(is_bad("ftrt"s + std::string(100, '\0'), Reason::kModelMalformed, "TensorRT engine"));
  EXPECT_TRUE(is_bad("this is a text, not a network\n", Reason::kModelMalformed, "a text file"));
  EXPECT_TRUE(is_bad(std::string(64, '\xff'), Reason::kModelMalformed, "damaged"));
}

// protobuf itself takes these bytes for a model with unknown fields and no graph.
TEST(OnnxModel, TextThatIsAnEmptyNetworkIsEmpty) {
  EXPECT_TRUE(is_build_error(parse("\n\n0123456789"), Reason::kModelMalformed, ""));  // field 1 as text
  EXPECT_TRUE(is_build_error(parse("2\bwords..."), Reason::kModelEmpty, "no node"));
  EXPECT_TRUE(is_build_error(parse(WireMessage().integer(1, 8).bytes()), Reason::kModelEmpty, "no node"));
}

TEST(OnnxModel, TwoGraphsAreMalformed) {
  const std::string text = add_relu_model();
  EXPECT_TRUE(is_build_error(parse(text + text), Reason::kModelMalformed));
}

std::string with_attributes(const std::vector<WireMessage>& attributes) {
  return OnnxWriter().output("y", kFloat, {1}).node("EPContext", {}, {"y"}, attributes).model();
}

TEST(OnnxModel, TwoAttributesWithOneNameAreMalformed) {
  const auto mode = onnx_integer_attribute("embed_mode", 1);
  EXPECT_TRUE(is_ok(parse(with_attributes({mode, onnx_integer_attribute("main_context", 1)}))));
  EXPECT_TRUE(is_build_error(parse(with_attributes({mode, onnx_integer_attribute("embed_mode", 0)})),
                             Reason::kModelMalformed));
}

TEST(OnnxModel, AttributeTextIsNotCopied) {
  const auto allocations = [](std::size_t size) {
    const std::string text = with_attributes({WireMessage().text(1, "s").text(4, std::string(size, 'e'))});
    return count_hot_path([&] { EXPECT_TRUE(is_ok(parse(text))); }).allocations;
  };
  EXPECT_EQ(allocations(1U << 20U), allocations(1));
}

// protobuf would cut these to 32 bits and read another number than we do.
TEST(OnnxModel, NumbersBeyondTheirFieldAreMalformed) {
  constexpr std::int64_t kCutTo1 = 0x100000001;
  const auto tensor = [](std::int64_t type) {
    const WireMessage w = WireMessage().integer(1, 1).integer(2, type).text(9, std::string(4, '\0'));
    return parse(with_attributes({onnx_tensor_attribute("value", w)}));
  };
  const auto value = [](std::int64_t type) {
    const WireMessage typed = WireMessage().message(1, WireMessage().integer(1, type));
    const WireMessage graph = WireMessage()
                                  .message(1, WireMessage().text(4, "Identity"))
                                  .message(12, WireMessage().text(1, "y").message(2, typed));
    return parse(WireMessage().message(7, graph).message(8, WireMessage().integer(2, 17)).bytes());
  };
  const auto attribute = [](std::int64_t type) {
    return parse(with_attributes({WireMessage().text(1, "a").integer(3, 1).integer(20, type)}));
  };
  EXPECT_TRUE(is_ok(tensor(1)));
  EXPECT_TRUE(is_build_error(tensor(kCutTo1), Reason::kModelMalformed));
  EXPECT_TRUE(is_ok(value(1)));
  EXPECT_TRUE(is_build_error(value(kCutTo1), Reason::kModelMalformed));
  EXPECT_TRUE(is_ok(attribute(2)));
  EXPECT_TRUE(is_build_error(attribute(kCutTo1 + 1), Reason::kModelMalformed));
}

WireMessage nested_graph(int depth) {
  WireMessage graph;
  graph.message(1, WireMessage().text(4, "Identity"));
  for (int i = 0; i < depth; ++i) {
    const WireMessage attribute = WireMessage().text(1, "body").message(6, graph);
    graph = WireMessage().message(1, WireMessage().text(4, "If").message(5, attribute));
  }
  return graph;
}

std::string nested_model(int depth) {
  WireMessage graph = nested_graph(depth);
  graph.message(12, WireMessage().text(1, "y"));
  return WireMessage().message(7, graph).message(8, WireMessage().integer(2, 17)).bytes();
}

TEST(OnnxModel, NestingIsBounded) {
  EXPECT_TRUE(is_ok(parse(nested_model(20))));
  EXPECT_TRUE(is_build_error(parse(nested_model(40)), Reason::kModelMalformed));
  EXPECT_TRUE(is_build_error(parse(nested_model(2000)), Reason::kModelMalformed));
}

TEST(WireReader, RefusesWhatIsNoField) {
  const auto is_refused = [](const std::string& bytes) {
    WireReader reader(bytes_of(bytes));
    while (reader.next()) {
    }
    return reader.is_malformed();
  };
  using namespace std::string_literals;
  EXPECT_FALSE(is_refused("\x08\x01"s));                               // field 1, varint 1: the valid sibling
  EXPECT_TRUE(is_refused("\x08"s));                                    // value missing
  EXPECT_TRUE(is_refused("\x08\x80"s));                                // varint not ended
  EXPECT_TRUE(is_refused("\x08" + std::string(10, '\xff') + "\x01"));  // more than 64 bits
  EXPECT_TRUE(is_refused("\x00\x01"s));                                // field 0
  EXPECT_TRUE(is_refused("\x0b\x0c"s));                                // a group
  EXPECT_TRUE(is_refused("\x0a\x05xx"s));                              // longer than the message
  EXPECT_TRUE(is_refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s));  // length 2^64-1
  EXPECT_TRUE(is_refused("\x0d\x01\x02"s));                                  // fixed32 cut off
  EXPECT_FALSE(is_refused("\x0d\x01\x02\x03\x04"s));
}

}  // namespace
}  // namespace skua::test
