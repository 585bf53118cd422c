// What computes something else is not compared by its time: check_same_results, and the subjects themselves.
#include <gmock/gmock.h>

#include <array>

#include "bench/call_figures.h"
#include "temp_folder.h"
#include "tests/unit/inference/fake_cache.h"

namespace skua::bench::same_results_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::array<std::string_view, 2> kVariants = {"kept", "run"};

/// Doubles its input, as the fake runtime does, until it is told otherwise.
class FakeRaw final : public RawSession {
 public:
  explicit FakeRaw(const RawMemory& memory) : memory_(memory) {}
  std::span<const std::string_view> variants() const noexcept override { return kVariants; }
  Status place(const RawMemory&) override { return {}; }
  Status set_input_shape(std::size_t, const Shape&) override { return {}; }
  TensorView input(std::size_t) const noexcept override { return memory_.inputs[0]; }
  Status run(std::size_t variant) noexcept override {
    calls.push_back(variant);
    if (variant == idle_variant) return {};
    const auto in = memory_.inputs[0].as<float>();
    for (std::size_t i = 0; i < in.size(); ++i) memory_.outputs[0].as<float>()[i] = factor * in[i];
    return {};
  }
  Result<TensorView> output(std::size_t) const override { return memory_.outputs[0]; }

  float factor = 2.0F;
  std::size_t idle_variant = 99;
  std::vector<std::size_t> calls;

 private:
  RawMemory memory_;
};

class SameResults : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeEnvironment environment;
    environment.host = skua::test::fake_host();
    environment.role = Role::kGround;
    runtime_ = std::make_unique<skua::test::FakeRuntime>(environment, behaviour_);
    std::filesystem::create_directories(root_.path() / "cache");
    record_ = skua::test::publish_fake(root_.path() / "cache", skua::test::fake_record("alpha"));
    engine_.record = &record_;
    engine_.handle = runtime_->deserialize_engine(to_entry(record_, root_.path() / "cache")).value();
    engine_.info = runtime_->info(engine_.handle).value();
    engine_.bound = runtime_->bind(engine_.handle, runtime_->create_lane("default").value()).value();
    Tensor x = Tensor::allocate(DType::kFloat32, Shape{skua::test::kFakeElements}).value();
    for (float& value : x.as<float>()) value = 3.0F;
    engine_.inputs.insert("x", std::move(x)).value();
    ASSERT_TRUE(engine_.bound->run().ok());
    auto raw = std::make_unique<FakeRaw>(RawMemory{{engine_.bound->input(0)}, {engine_.bound->output(0)}});
    raw_ = raw.get();
    engine_.raw = std::move(raw);
  }

  skua::test::TempFolder root_;
  skua::test::FakeBehaviour behaviour_;
  EngineRecord record_;
  std::unique_ptr<skua::test::FakeRuntime> runtime_;
  BenchedEngine engine_;
  FakeRaw* raw_ = nullptr;
};

TEST_F(SameResults, PassWhenEveryVariantAgrees) {
  const Status same = check_same_results(engine_);
  EXPECT_TRUE(same.ok()) << same.error().describe();
  EXPECT_THAT(raw_->calls, ElementsAre(0U, 1U));
}

TEST_F(SameResults, NameTheVariantThatComputesSomethingElse) {
  raw_->factor = 2.001F;
  const Status same = check_same_results(engine_);
  ASSERT_FALSE(same.ok());
  EXPECT_THAT(same.error().message, HasSubstr("'kept'"));
}

TEST_F(SameResults, AreNotTakenFromWhatTheCallBeforeLeftInTheSameMemory) {
  raw_->idle_variant = 1;
  const Status same = check_same_results(engine_);
  ASSERT_FALSE(same.ok());
  EXPECT_THAT(same.error().message, HasSubstr("'run'"));
}

TEST_F(SameResults, NeedNoRawSession) {
  engine_.raw = nullptr;
  EXPECT_TRUE(check_same_results(engine_).ok());
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
  const Status failed = check_same_results(engine_);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().message, HasSubstr("alpha"));
}

TEST_F(SameResults, SubjectsCallWhatTheyAreNamedAfter) {
  int skua_calls = 0;
  behaviour_.on_run = [&skua_calls] { ++skua_calls; };
  const auto subjects = call_subjects(*runtime_, engine_);
  std::vector<std::string> names;
  for (const Subject& subject : subjects) {
    names.push_back(subject.name);
    EXPECT_TRUE(subject.call().ok());
  }
  EXPECT_THAT(names, ElementsAre("skua bound run", "skua infer", "raw kept", "raw run"));
  EXPECT_EQ(skua_calls, 2);
  EXPECT_THAT(raw_->calls, ElementsAre(0U, 1U));
}

}  // namespace
}  // namespace skua::bench::same_results_tests
