// One runtime, built once, held by everybody; and nobody composed without what it needs.
#include "skua/airborne_bootstrap.h"

#include <gmock/gmock.h>

#include "airborne_fixture.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Holds what it was given.
class HoldingConsumer final : public Consumer {
 public:
  HoldingConsumer(std::string_view slug, Injected injected) : slug_(slug), injected_(std::move(injected)) {}
  std::string_view slug() const noexcept override { return slug_; }
  const InferenceRuntime* inference() const noexcept override { return injected_.inference.get(); }
  const LightGlueRuntime* lightglue() const noexcept { return injected_.lightglue.get(); }

 private:
  std::string_view slug_;
  Injected injected_;
};

std::vector<ConsumerFactory> factories_for(const std::vector<std::string_view>& slugs) {
  std::vector<ConsumerFactory> factories;
  for (const std::string_view slug : slugs) {
    factories.push_back({slug, [slug](const Injected& injected) -> Result<std::unique_ptr<Consumer>> {
                           return std::unique_ptr<Consumer>(
                               std::make_unique<HoldingConsumer>(slug, injected));
                         }});
  }
  return factories;
}

const std::vector<std::string_view> kFour = {"c2_vpr", "c2_5_rerank", "c3_matcher", "c3_5_adhop"};

class ComposeTest : public AirborneTest {
 protected:
  ComposeTest() { folder_.publish_set({"ultravpr", "lightglue"}, "lightglue"); }

  PreConstruction built() { return build_pre_constructed(config_, surroundings_).value(); }
  Error compose_error(const PreConstructed& entries, std::span<const ConsumerFactory> factories) {
    const auto composed = compose_root(config_, entries, factories);
    EXPECT_FALSE(composed.ok());
    return composed.ok() ? Error{} : composed.error();
  }

  AirborneConfig config_ = folder_.config();
};

std::shared_ptr<InferenceRuntime> inference_of(const PreConstruction& built) {
  return std::get<std::shared_ptr<InferenceRuntime>>(built.entries.find(kInferenceKey)->second);
}
std::shared_ptr<LightGlueRuntime> lightglue_of(const PreConstruction& built) {
  return std::get<std::shared_ptr<LightGlueRuntime>>(built.entries.find(kLightGlueKey)->second);
}

TEST_F(ComposeTest, OneRuntimeIsBuiltAndEverybodyHoldsThatInstance) {
  const PreConstruction pre = built();
  const auto composed = compose_root(config_, pre.entries, factories_for(kFour));
  ASSERT_TRUE(composed.ok()) << composed.error().describe();
  EXPECT_EQ(runtimes_, 1);
  const InferenceRuntime* const shared = inference_of(pre).get();
  ASSERT_NE(shared, nullptr);
  EXPECT_EQ(lightglue_of(pre)->source().get(), shared);
  ASSERT_EQ(composed->size(), 4U);
  for (std::size_t i = 0; i < composed->size(); ++i) {
    const auto& consumer = static_cast<const HoldingConsumer&>(*(*composed)[i]);
    EXPECT_EQ(consumer.slug(), kFour[i]);
    EXPECT_EQ(consumer.inference(), shared) << consumer.slug();
    const bool wants_matcher = consumer.slug() != "c2_vpr";
    EXPECT_EQ(consumer.lightglue(), wants_matcher ? lightglue_of(pre).get() : nullptr) << consumer.slug();
  }
}

TEST_F(ComposeTest, TheSetThatCurrentNamesIsLoadedWhole) {
  const PreConstruction pre = built();
  EXPECT_EQ(pre.set_id, "set-1");
  EXPECT_NE(pre.engines.find("ultravpr"), nullptr);
  EXPECT_NE(pre.engines.find("lightglue"), nullptr);
  EXPECT_EQ(events_.count("c7.set_unsigned"), 0);
}

TEST_F(ComposeTest, TheMatchersLanesAreDeclaredBeforeTheLoadAndRunThatEngineAlone) {
  config_.inference.lanes = {{"c2_vpr", "ultravpr"}};
  config_.inference.lightglue_lanes = 3;
  const PreConstruction pre = built();
  std::vector<std::string> names, engines;
  for (const LaneDeclaration& lane : lanes_) {
    names.push_back(lane.consumer);
    engines.push_back(lane.engine);
  }
  EXPECT_THAT(names, ElementsAre("c2_vpr", "c3_lightglue_runtime", "c3_lightglue_runtime_1",
                                 "c3_lightglue_runtime_2"));
  EXPECT_THAT(engines, ElementsAre("ultravpr", "lightglue", "lightglue", "lightglue"));
}

TEST_F(ComposeTest, CompositionSealsTheRuntime) {
  const PreConstruction pre = built();
  EXPECT_TRUE(inference_of(pre)->create_lane("before").ok());
  ASSERT_TRUE(compose_root(config_, pre.entries, factories_for(kFour)).ok());
  EXPECT_EQ(inference_of(pre)->create_lane("after").error().reason, Reason::kLaneNotDeclared);
}

TEST_F(ComposeTest, OnlyConfiguredConsumersWithAFactoryAreComposed) {
  const PreConstruction pre = built();
  config_.consumers = {{"c3_matcher", "c2_vpr"}};
  EXPECT_EQ(compose_root(config_, pre.entries, factories_for(kFour))->size(), 2U);
  EXPECT_EQ(compose_root(config_, pre.entries, factories_for({"c3_matcher"}))->size(), 1U);
  config_.consumers.emplace();
  EXPECT_THAT(*compose_root(config_, pre.entries, factories_for(kFour)), IsEmpty());
}

TEST_F(ComposeTest, EveryMissingKeyIsNamedWithEveryConsumerThatNeedsIt) {
  const Error error = compose_error({}, factories_for(kFour));
  EXPECT_EQ(error.code, ErrorCode::kAirborneBootstrap);
  EXPECT_EQ(error.reason, Reason::kPreConstructedMissing);
  EXPECT_THAT(error.message,
              HasSubstr("c7_inference, needed by c2_vpr, c2_5_rerank, c3_matcher, c3_5_adhop; "
                        "c3_lightglue_runtime, needed by c2_5_rerank, c3_matcher, c3_5_adhop"));
  config_.consumers = {{"c2_vpr"}};
  const Error one = compose_error({}, factories_for(kFour));
  EXPECT_THAT(one.message, HasSubstr("c7_inference, needed by c2_vpr;"));
  EXPECT_THAT(one.message, Not(HasSubstr("c3_lightglue_runtime")));
}

TEST_F(ComposeTest, ANullEntryIsAMissingOne) {
  PreConstruction pre = built();
  pre.entries.insert_or_assign(std::string(kLightGlueKey), std::shared_ptr<LightGlueRuntime>());
  const Error error = compose_error(pre.entries, factories_for(kFour));
  EXPECT_EQ(error.reason, Reason::kPreConstructedMissing);
  EXPECT_THAT(error.message, HasSubstr("not constructed: c3_lightglue_runtime, needed by c2_5_rerank"));
  EXPECT_THAT(error.message, Not(HasSubstr("c7_inference")));
  pre.entries.insert_or_assign(std::string(kInferenceKey), std::shared_ptr<InferenceRuntime>());
  EXPECT_THAT(compose_error(pre.entries, factories_for(kFour)).message, HasSubstr("c7_inference, needed"));
}

TEST_F(ComposeTest, AnEntryOfAnotherTypeIsAMissingOne) {
  PreConstruction pre = built();
  pre.entries.insert_or_assign(std::string(kLightGlueKey), inference_of(pre));
  EXPECT_EQ(compose_error(pre.entries, factories_for(kFour)).reason, Reason::kPreConstructedMissing);
}

TEST_F(ComposeTest, AMissingMatcherDoesNotConcernWhoNeedsNone) {
  PreConstruction pre = built();
  pre.entries.erase(pre.entries.find(kLightGlueKey));
  EXPECT_TRUE(compose_root(config_, pre.entries, factories_for({"c2_vpr"})).ok());
  EXPECT_FALSE(compose_root(config_, pre.entries, factories_for({"c3_matcher"})).ok());
}

TEST_F(ComposeTest, ASkippedReplayComposesNobodyAndSaysHowToWhereAConsumerIsConfigured) {
  config_.mode = FlightMode::kReplay;
  config_.has_inference_block = false;
  const PreConstruction pre = built();
  EXPECT_THAT(*compose_root(config_, pre.entries, factories_for(kFour)), IsEmpty());  // none is known
  config_.consumers.emplace();
  EXPECT_THAT(*compose_root(config_, pre.entries, factories_for(kFour)), IsEmpty());
  config_.consumers = {{"c2_vpr"}};
  EXPECT_THAT(compose_error(pre.entries, factories_for(kFour)).message,
              HasSubstr("only where the configuration has the block components.c7_inference: add it"));
}

TEST_F(ComposeTest, AFactorysErrorIsPassedOnAndLeavesTheRuntimeOpen) {
  const PreConstruction pre = built();
  auto factories = factories_for(kFour);
  factories[2].create = [](const Injected&) -> Result<std::unique_ptr<Consumer>> {
    return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "output is another");
  };
  const Error error = compose_error(pre.entries, factories);
  EXPECT_EQ(error.code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(error.message, "output is another");
  EXPECT_TRUE(inference_of(pre)->create_lane("not_sealed").ok());
}

TEST_F(ComposeTest, ASecondRuntimeIsFoundOutWhereverItIsHeld) {
  const PreConstruction pre = built(), other = built();
  PreConstructed mixed = pre.entries;
  mixed.insert_or_assign(std::string(kLightGlueKey), lightglue_of(other));
  EXPECT_THAT(compose_error(mixed, factories_for(kFour)).message,
              HasSubstr("c3_lightglue_runtime holds another runtime"));
  auto factories = factories_for({"c2_vpr"});
  factories[0].create = [&](const Injected&) -> Result<std::unique_ptr<Consumer>> {
    const Injected injected{inference_of(other), nullptr};
    return std::unique_ptr<Consumer>(std::make_unique<HoldingConsumer>("c2_vpr", injected));
  };
  EXPECT_THAT(compose_error(pre.entries, factories).message, HasSubstr("c2_vpr holds another runtime"));
}

}  // namespace
}  // namespace skua::test
