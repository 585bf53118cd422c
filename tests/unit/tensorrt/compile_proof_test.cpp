// Layer precisions out of the inspector's JSON, in the spellings of two generations; the timing cache's file.
#include "compile_fixture.h"
#include "runtimes/tensorrt/compile_precision.h"
#include "runtimes/tensorrt/compile_timing_cache.h"

namespace skua::test {
namespace {

constexpr char kTen[] = R"({"Layers":[
  {"Name":"reformat","LayerType":"Reformat","Inputs":[{"Name":"x","Format/Datatype":"Row major linear FP32"}],
   "Outputs":[{"Name":"x2","Format/Datatype":"Row major linear FP16"}]},
  {"Name":"conv","LayerType":"CaskConvolution","Inputs":[{"Name":"x2","Format/Datatype":"Row major linear FP16"}],
   "Outputs":[{"Name":"a","Format/Datatype":"Row major linear FP16"}],"Weights":{"Type":"Half","Count":9}},
  {"Name":"soft","LayerType":"SoftMax","Inputs":[{"Name":"a2","Format/Datatype":"Row major linear FP32"}],
   "Outputs":[{"Name":"y","Format/Datatype":"Row major linear FP32"}]},
  {"Name":"index","LayerType":"TopK","Inputs":[],"Outputs":[{"Name":"i","Format/Datatype":"Row major linear INT32"}]}],
 "Bindings":["x","y"]})";
constexpr char kEleven[] = R"({"Layers":[
  {"Name":"conv","LayerType":"CaskConvolution","Inputs":[{"Name":"x","Format":"Row major linear","Datatype":"Half"}],
   "Outputs":[{"Name":"y","Format":"Row major linear","Datatype":"Float"}]}],"I/O Tensors":["x","y"]})";
constexpr char kSingle[] = R"({"Layers":[
  {"Name":"copy","LayerType":"Reformat","Inputs":[],"Outputs":[{"Name":"x","Format/Datatype":"FP16"}]},
  {"Name":"conv","LayerType":"CaskConvolution","Inputs":[],"Outputs":[{"Name":"y","Format/Datatype":"FP32"}]}]})";

TEST(LayerPrecisions, CountsLayersThatCompute) {
  const auto found = tensorrt::layer_precisions(kTen);
  ASSERT_TRUE(is_ok(found));
  EXPECT_EQ(found->layers, 2U);
  EXPECT_EQ(found->half, 1U);
  EXPECT_TRUE(is_ok(tensorrt::check_half(*found)));
}

TEST(LayerPrecisions, ReadsTheNewerForm) {
  const auto found = tensorrt::layer_precisions(kEleven);
  ASSERT_TRUE(is_ok(found));
  EXPECT_EQ(found->layers, 1U);
  EXPECT_EQ(found->half, 1U);
}

TEST(LayerPrecisions, AHalfCopyIsNoHalfLayer) {
  const auto found = tensorrt::layer_precisions(kSingle);
  ASSERT_TRUE(is_ok(found));
  EXPECT_EQ(found->half, 0U);
  EXPECT_TRUE(is_build_error(tensorrt::check_half(*found), Reason::kPrecisionNotSupported, "none of 1"));
}

TEST(LayerPrecisions, WhatSaysNothingOfTypesProvesNothing) {
  for (const char* text :
       {R"({"Layers":["conv","relu"],"Bindings":["x"]})", R"({"Layers":[]})", "{}", "[]", "{", ""}) {
    EXPECT_TRUE(
        is_build_error(tensorrt::layer_precisions(text), Reason::kPrecisionNotSupported, "cannot be proven"))
        << text;
  }
}

// --- layers to keep ---

constexpr char kKept[] = R"({"Layers":[
  {"Name":"conv","LayerType":"CaskConvolution","Inputs":[{"Name":"x","Format/Datatype":"Row major linear FP32"}],
   "Outputs":[{"Name":"a","Format/Datatype":"Row major linear FP32"}],"Weights":{"Type":"Float","Count":9}},
  {"Name":"half_in","LayerType":"SoftMax","Inputs":[{"Name":"a","Format/Datatype":"Row major linear FP16"}],
   "Outputs":[{"Name":"b","Format/Datatype":"Row major linear FP32"}]},
  {"Name":"half_out","LayerType":"SoftMax","Inputs":[{"Name":"b","Format/Datatype":"Row major linear FP32"}],
   "Outputs":[{"Name":"c","Format/Datatype":"Row major linear FP16"}]},
  {"Name":"half_weights","LayerType":"CaskConvolution","Inputs":[{"Name":"c","Format/Datatype":"FP32"}],
   "Outputs":[{"Name":"d","Format/Datatype":"FP32"}],"Weights":{"Type":"Half","Count":9}},
  {"Name":"last","LayerType":"SoftMax","Inputs":[{"Name":"d","Format/Datatype":"FP32"}],
   "Outputs":[{"Name":"y","Format/Datatype":"FP16"}]},
  {"Name":"twice","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"e","Format/Datatype":"FP16"}]},
  {"Name":"twice","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"f","Format/Datatype":"FP32"}]},
  {"Name":"cast","LayerType":"Cast","Inputs":[],"Outputs":[{"Name":"h","Format/Datatype":"FP32"}]},
  {"Name":"one + two","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"g","Format/Datatype":"FP16"}]}],
 "Bindings":["x","y"]})";

tensorrt::KeptLayers kept(const std::string& name) { return tensorrt::kept_layers(kKept, {name}).value(); }

TEST(KeptLayers, ALayerWithoutAHalfIsProven) {
  for (const char* name : {"conv", "last"}) {  // "last" feeds an output that the model declares as half
    EXPECT_THAT(kept(name).proven, testing::ElementsAre(name));
    EXPECT_TRUE(is_ok(tensorrt::check_kept(kept(name)))) << name;
  }
}

TEST(KeptLayers, AHalfAnywhereEndsTheBuild) {
  for (const char* name : {"half_in", "half_out", "half_weights", "twice"}) {
    EXPECT_TRUE(is_build_error(tensorrt::check_kept(kept(name)), Reason::kPrecisionNotSupported, name))
        << name;
  }
}

TEST(KeptLayers, ACastProvesNothingOfALayerThatHasItsName) {
  EXPECT_THAT(kept("cast").proven, testing::IsEmpty());
  EXPECT_THAT(kept("cast").hidden, testing::ElementsAre("cast"));
  EXPECT_FALSE(kept("cast").is_any_named);
}

TEST(KeptLayers, WhatIsNotThereIsToldAsNotShown) {
  EXPECT_THAT(kept("three").hidden, testing::ElementsAre("three"));
  EXPECT_THAT(kept("three").proven, testing::IsEmpty());
  EXPECT_TRUE(is_ok(tensorrt::check_kept(kept("three"))));
}

std::vector<std::byte> blob() {
  static const std::string kText = "measured kernels";
  const auto text = bytes_of(kText);
  return {text.begin(), text.end()};
}

TEST(TimingCacheFile, GivesBackWhatWasPutIn) {
  const std::string key = tensorrt::timing_key(HostTuple(), "10.3.0");
  const auto file = tensorrt::encode_timing_cache(blob(), key);
  EXPECT_EQ(tensorrt::decode_timing_cache(file, key).value(), blob());
}

TEST(TimingCacheFile, AnotherDeviceOrReleaseIsRefused) {
  HostTuple host;
  const auto file = tensorrt::encode_timing_cache(blob(), tensorrt::timing_key(host, "10.3.0"));
  EXPECT_TRUE(is_build_error(tensorrt::decode_timing_cache(file, tensorrt::timing_key(host, "10.3.1")),
                             Reason::kHostFactMismatch));
  host.sm_count = 8;
  EXPECT_TRUE(is_build_error(tensorrt::decode_timing_cache(file, tensorrt::timing_key(host, "10.3.0")),
                             Reason::kHostFactMismatch, "another device"));
}

TEST(TimingCacheFile, EveryFlippedByteAndEveryCutIsRefused) {
  const std::string key = "key";
  const auto good = tensorrt::encode_timing_cache(blob(), key);
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{1};
    EXPECT_FALSE(tensorrt::decode_timing_cache(bad, key).ok()) << at;
    EXPECT_FALSE(tensorrt::decode_timing_cache(std::span(good).first(at), key).ok()) << at;
  }
}

}  // namespace
}  // namespace skua::test
