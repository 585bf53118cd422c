// The event pipeline that a configuration asks for.
#include "bootstrap/event_setup.h"

#include <gmock/gmock.h>

#include <future>
#include <thread>
#include <utility>

#include "events/recorder_format.h"
#include "events/recorder_reader.h"
#include "temp_folder.h"

namespace skua {
namespace {

using ::testing::HasSubstr;

constexpr std::chrono::seconds kPlenty{10};

class EventSetupTest : public ::testing::Test {
 protected:
  EventSetupTest() {
    config_.log_sink = "none";
    config_.recorder_dir = root_.path() / "recorder";
  }

  test::TempFolder root_;
  RuntimeConfig config_;
};

TEST_F(EventSetupTest, WarningsGoToTheEmbeddedRecorderAndToTheCallersOwn) {
  std::vector<std::string> kinds;
  const auto callback =
      std::make_shared<CallbackRecorder>([&](const FlightRecord& record) { kinds.push_back(record.kind); });
  auto events = start_events(config_, {callback});
  ASSERT_TRUE(events.ok()) << events.error().describe();
  (*events)->emit({Level::kWarn, "c7.set_unsigned", "unsigned", {{"set_id", std::string("a")}}});
  (*events)->emit({Level::kInfo, "c7.engine_built", "not recorded", {}});
  ASSERT_TRUE((*events)->drain(kPlenty));
  events->reset();
  EXPECT_EQ(kinds, std::vector<std::string>{"log"});
  EXPECT_GT(std::filesystem::file_size(root_.path() / "recorder" / "segment-00000001.skfr"), 100U);
}

TEST_F(EventSetupTest, ARecorderThatCannotBeHadStopsTheStartAndNamesTheField) {
  const auto first = start_events(config_);
  ASSERT_TRUE(first.ok());
  const auto second = start_events(config_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(second.error().reason, Reason::kFolderBusy);
  EXPECT_THAT(second.error().message, HasSubstr("recorder_dir: "));
}

/// A callback that never returns keeps from the embedded recorder neither the event that it is handed nor,
/// when the pipeline ends and it returns at last, those that came behind.
TEST_F(EventSetupTest, CallbackThatStandsStillKeepsNothingFromTheEmbeddedRecorder) {
  std::promise<void> reached, released;
  const auto callback = std::make_shared<CallbackRecorder>([&, is_first = true](const FlightRecord&) mutable {
    if (!std::exchange(is_first, false)) return;
    reached.set_value();
    released.get_future().wait();
  });
  auto events = start_events(config_, {callback}).value();
  const auto recorded = [&] {
    const auto folder = posix_file_system().open_folder(config_.recorder_dir).value();
    const std::string bytes = read_segment(*folder, "segment-00000001.skfr").value();
    return recover(std::as_bytes(std::span(bytes))).frames.size();
  };
  for (int i = 0; i < 3; ++i) events->emit({Level::kError, "c7.engine_refused", "x", {}});
  reached.get_future().wait();
  EXPECT_EQ(recorded(), 1U);
  events.reset();
  released.set_value();
  while (callback.use_count() > 1) std::this_thread::yield();
  EXPECT_EQ(recorded(), 4U);  // the three, and an overrun: two of them the callback did not get
}

TEST_F(EventSetupTest, WithoutOutputsNothingIsTakenIn) {
  config_.recorder_dir.clear();
  const auto events = start_events(config_).value();
  events->emit({Level::kError, "c7.engine_refused", "nobody listens", {}});
  EXPECT_EQ(events->counts().emitted, 0U);
}

TEST_F(EventSetupTest, AConfigurationThatIsNotValidIsRefused) {
  config_.log_sink = "syslog";
  EXPECT_FALSE(start_events(config_).ok());
}

}  // namespace
}  // namespace skua
