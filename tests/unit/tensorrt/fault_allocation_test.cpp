// Memory that runs out, at every allocation of every entry point: ours of the host, one after the other, and
// the device's, byte by byte. A typed error or success, and nothing is left behind.
#include "hot_path_counters.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

/// What may be called of the run half, and all that has to happen before.
enum class Entry { kOpen, kPlace, kNewShape, kWarmUp, kFirstRun, kRun, kEnd };

struct EntryRow {
  Entry entry;
  std::string_view name;
  bool allocates;  ///< on the host, of our own
};

constexpr std::array kEntries = {
    EntryRow{Entry::kOpen, "Deserialise", true},  EntryRow{Entry::kPlace, "CreateExecution", true},
    EntryRow{Entry::kNewShape, "SetShape", true}, EntryRow{Entry::kWarmUp, "WarmUp", true},
    EntryRow{Entry::kFirstRun, "FirstRun", true}, EntryRow{Entry::kRun, "Run", false},
    EntryRow{Entry::kEnd, "End", false},
};

class TensorrtAllocation : public TensorrtRun, public testing::WithParamInterface<EntryRow> {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    config_.tensorrt_io_memory = "copied";
    plan_ = build_plan(request_);
    const auto opened = trt::PlanEngine::open(bytes_of(plan_), device_, trt::TrtContext::kLoad, "net");
    lane_.record = record_of(opened.value()->facts(), request_);
    settings_ = settings();
  }
  Status open() {
    auto opened = trt::PlanEngine::open(bytes_of(plan_), device_, trt::TrtContext::kLoad, "net");
    SKUA_RETURN_IF_ERROR(opened);
    lane_.plan = *std::move(opened);
    return {};
  }
  /// Up to the entry point.
  void prepare(Entry entry) {
    lane_.execution.reset();
    lane_.plan.reset();
    sil::reset();
    if (entry == Entry::kOpen) return;
    ASSERT_TRUE(is_ok(open()));
    lane_.execution = std::make_unique<trt::TrtExecution>(lane_.plan, settings_);
    if (entry == Entry::kPlace) return;
    ASSERT_TRUE(is_ok(lane_->place(lane_.record)));
    if (entry == Entry::kFirstRun || entry == Entry::kWarmUp) return;
    ASSERT_TRUE(is_ok(lane_->run(std::nullopt)));
  }
  Status call(Entry entry) {
    switch (entry) {
      case Entry::kOpen:
        return open();
      case Entry::kPlace:
        return lane_->place(lane_.record);
      case Entry::kNewShape:
        if (Status refused = lane_->set_input_shape(0, {6, 4});  // which takes a text
            refused.error().code == ErrorCode::kOutOfMemory)
          return refused;
        return lane_->set_input_shape(0, {3, 4});
      case Entry::kWarmUp:
        return lane_->warm_up(lane_.record);
      case Entry::kFirstRun:
      case Entry::kRun:
        return lane_->run(std::nullopt);
      case Entry::kEnd:
        lane_.execution.reset();
        lane_.plan.reset();
        break;
    }
    return {};
  }
  /// Gives everything back, or runs once more.
  void check_after(Entry entry, bool is_ok_answer) {
    sil::reset();
    EXPECT_FALSE(device_->is_lost());
    const bool is_placed = lane_.execution != nullptr && entry != Entry::kOpen;
    if (is_placed && (is_ok_answer || entry != Entry::kPlace)) {
      EXPECT_TRUE(is_ok(lane_->run(std::nullopt)));
      EXPECT_NE(lane_->output(0).data, nullptr);
    }
    lane_.execution.reset();
    lane_.plan.reset();
    EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
    EXPECT_EQ(device_->held_bytes(), 0U);
  }

  PlanRequest request_ = dynamic_rows();
  std::string plan_;
  trt::LaneSettings settings_;
  Lane lane_;
};

TEST_P(TensorrtAllocation, EachOneOfTheHostMayFail) {
  const auto [entry, name, allocates] = GetParam();
  bool has_failed = true;
  std::uint64_t failed = 0;
  for (std::uint64_t nth = 1; has_failed; ++nth) {
    SCOPED_TRACE(nth);
    prepare(entry);
    Status answer;
    has_failed = run_with_failing_allocation(nth, [&] { answer = call(entry); });
    failed += has_failed ? 1U : 0U;
    EXPECT_TRUE(answer.ok() || is_error(answer, ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
    EXPECT_TRUE(has_failed || answer.ok());
    check_after(entry, answer.ok());
  }
  EXPECT_EQ(failed > 0, allocates) << failed;
}

TEST_P(TensorrtAllocation, TheDeviceMayHaveAnyAmountOfMemory) {
  const Entry entry = GetParam().entry;
  bool is_enough = false;
  int refusals = 0;
  for (std::size_t bytes = 0; !is_enough && bytes < 65536; bytes += 64) {
    SCOPED_TRACE(bytes);
    prepare(entry);
    sil::limit_device_memory(sil::live_objects().device_bytes + bytes);
    const Status answer = call(entry);
    is_enough = answer.ok();
    refusals += is_enough ? 0 : 1;
    EXPECT_TRUE(is_enough || is_error(answer, ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
    check_after(entry, is_enough);
  }
  EXPECT_TRUE(is_enough);
  const bool takes_memory =
      entry == Entry::kOpen || entry == Entry::kPlace || entry == Entry::kFirstRun || entry == Entry::kWarmUp;
  EXPECT_EQ(refusals > 0, takes_memory) << "who takes memory, and when";
}

std::string entry_name(const testing::TestParamInfo<EntryRow>& info) { return std::string(info.param.name); }

INSTANTIATE_TEST_SUITE_P(Entries, TensorrtAllocation, testing::ValuesIn(kEntries), entry_name);

}  // namespace
}  // namespace skua::test
