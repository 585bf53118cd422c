// The frame loop on fake networks, at a high rate: which frames fly, and what ends a flight.
#include "flight/flight_loop.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <sstream>
#include <thread>

#include "core/json_strict.h"
#include "flight_fixture.h"
#include "kept_trace.h"
#include "process_signals.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
constexpr std::int64_t kMs = 1'000'000;

class FlightLoopTest : public FlightFixture {
 protected:
  /// `count` frames: "00.png" shows tile 0, "01.png" tile 1, and so on.
  void create_flight(std::size_t count) {
    signals_ = SignalWatcher::start({std::chrono::minutes(1), [] {}, 0}).value();
    create();
    for (std::size_t i = 0; i < count; ++i)
      root_.write("frames/" + name(i), encode_gray(pictures_[i % pictures_.size()]));
    open_frames("frames");
  }
  void open_frames(const std::string& place) {
    frames_ = FrameSource::open(root_.path() / place).value();
    lines_.emplace(FrameLinesWriter::open(root_.path() / "lines").value());
  }
  static std::string name(std::size_t frame) {
    return std::string(1, static_cast<char>('0' + frame / 10)) + static_cast<char>('0' + frame % 10) + ".png";
  }
  FlightEnd fly(double rate_hz = 100.0, std::optional<std::int64_t> duration_ns = std::nullopt) {
    const LoopParts parts{&*pipeline_,   &*frames_, &*tiles_, signals_.get(),
                          &*supervisor_, &events_,  &*lines_};
    FlightSettings settings = settings_;
    settings.rate_hz = rate_hz;
    settings.deadline_ms = deadline_ms_;
    loop_.emplace(parts, FrameFormat{kSide, kSide, 1}, settings);
    return loop_->run(duration_ns);
  }
  /// What the lines say of each frame.
  std::vector<Json> lines() const {
    std::vector<Json> all;
    std::istringstream text(root_.read("lines"));
    for (std::string line; std::getline(text, line);) all.push_back(parse_json(line).value());
    return all;
  }
  const FlightStatistics& statistics() const { return loop_->statistics(); }
  /// Every slot is a frame or missed.
  std::uint64_t slots() const { return statistics().frames() + loop_->missed_count(); }

  double deadline_ms_ = 5000.0;  ///< what is judged is the answer, also on a busy machine
  const PendingSignals after_;
  std::unique_ptr<SignalWatcher> signals_;
  std::optional<Supervisor> supervisor_ = Supervisor::connect("", "").value();
  std::optional<FrameSource> frames_;
  std::optional<FrameLinesWriter> lines_;
  std::optional<FlightLoop> loop_;
};

/// At 4 Hz even a busy machine misses no slot.
TEST_F(FlightLoopTest, WithoutADurationEveryFrameIsFlownOnceInOrder) {
  create_flight(5);
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  EXPECT_EQ(statistics().frames(), 5U);
  EXPECT_EQ(statistics().positions(), 5U);
  EXPECT_EQ(loop_->missed_count(), 0U);
  EXPECT_EQ(events_.posted, 0U);
  const auto flown = lines();
  ASSERT_EQ(flown.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(flown[i]["frame"], i);
    EXPECT_EQ(flown[i]["picture"], name(i));
    EXPECT_EQ(flown[i]["tile"], "t" + std::to_string(i % 4) + ".png");
  }
  EXPECT_GE(loop_->flown_ns(), 1000 * kMs) << "four periods at least";
}

/// Of a frame without its times.
std::vector<Json> without_times(std::vector<Json> lines) {
  for (Json& line : lines) {
    line.erase("ms");
    line.erase("after_due_ms");
  }
  return lines;
}

double begun_after_due_ms(const Json& line) {
  return line["after_due_ms"].get<double>() - line["ms"]["frame"].get<double>();
}

TEST_F(FlightLoopTest, ATraceChangesNoAnswerAndHasEveryStageOfEveryFrame) {
  create_flight(4);
  ASSERT_EQ(fly(4.0), FlightEnd::kFrames);
  const auto untraced = without_times(lines());
  open_frames("frames");
  skua::test::KeptTrace trace;
  ASSERT_EQ(fly(4.0), FlightEnd::kFrames);
  EXPECT_EQ(without_times(lines()), untraced);
  const auto spans = trace.spans();
  const auto frames = skua::test::spans_named(spans, "frame");
  ASSERT_EQ(frames.size(), 4U);
  for (const char* stage : {"vpr", "features", "rerank", "match", "solve"}) {
    const auto found = skua::test::spans_named(spans, stage);
    ASSERT_EQ(found.size(), 4U) << stage;
    for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(skua::test::is_within(found[i], frames[i])) << stage;
  }
  for (const char* between : {"acquire", "wait_due"}) {
    const auto found = skua::test::spans_named(spans, between);
    ASSERT_EQ(found.size(), 4U) << between;
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(found[i]["args"]["frame"], i);
      EXPECT_FALSE(skua::test::is_within(found[i], frames[i])) << between;
    }
  }
}

TEST_F(FlightLoopTest, ATraceSaysWhyAFrameHasNoAnswer) {
  create_flight(2);
  root_.write("frames/00.png", "no picture");
  skua::test::KeptTrace trace;
  fly(4.0);
  const auto spans = trace.spans();
  const auto acquired = skua::test::spans_named(spans, "acquire");
  ASSERT_EQ(acquired.size(), 2U);
  EXPECT_TRUE(acquired[0]["args"].contains("reason")) << acquired[0];
  EXPECT_FALSE(acquired[1]["args"].contains("reason"));
  EXPECT_EQ(skua::test::spans_named(spans, "frame").size(), 1U) << "nothing was run for the other one";
}

TEST_F(FlightLoopTest, WithADurationTheSourceBeginsAgain) {
  create_flight(2);
  EXPECT_EQ(fly(100.0, 200 * kMs), FlightEnd::kDuration);
  EXPECT_EQ(slots(), 20U);
  EXPECT_GT(statistics().frames(), 2U);
  for (const Json& line : lines()) EXPECT_EQ(line["picture"], name(line["frame"].get<std::size_t>() % 2));
}

TEST_F(FlightLoopTest, ADurationOfNothingFliesNothing) {
  create_flight(2);
  EXPECT_EQ(fly(100.0, 0), FlightEnd::kDuration);
  EXPECT_EQ(statistics().frames(), 0U);
}

/// The second frame takes four slots and more: the third flown is the one whose slot it then is.
TEST_F(FlightLoopTest, AFrameThatTakesLongCostsItsSlotsAndTheNewestPictureIsNext) {
  create_flight(12);
  int run = 0;
  of(Network::kVpr).on_run = [&run] {
    if (++run == 2) std::this_thread::sleep_for(std::chrono::milliseconds(450));
  };
  deadline_ms_ = 300.0;
  EXPECT_EQ(fly(10.0), FlightEnd::kFrames);
  EXPECT_GE(loop_->missed_count(), 3U);
  EXPECT_EQ(slots(), 12U);
  const auto flown = lines();
  ASSERT_GE(flown.size(), 3U);
  EXPECT_EQ(flown[1]["frame"], 1);
  EXPECT_EQ(flown[1]["reason"], "deadline_missed") << "450 ms against 300";
  EXPECT_GE(flown[2]["frame"], 5);
  for (const Json& line : flown) {
    EXPECT_EQ(line["picture"], name(line["frame"].get<std::size_t>()));
    EXPECT_TRUE(line.contains("tile")
                    ? line["tile"] == "t" + std::to_string(line["frame"].get<int>() % 4) + ".png"
                    : line.contains("reason"));
  }
  EXPECT_GT(loop_->late_count(), 0U) << "the frame behind it begins in the middle of its slot";
  std::uint64_t late = 0;
  for (const Json& line : flown) late += begun_after_due_ms(line) > 5.0;
  EXPECT_GE(late, loop_->late_count()) << "of which its line tells, not only of the time that it took";
  for (const Json& line : flown) EXPECT_GE(begun_after_due_ms(line), 0.0) << line;
  EXPECT_GE(flown[1]["after_due_ms"].get<double>(), 450.0);
}

/// The last frames' slots pass while the first one is running.
TEST_F(FlightLoopTest, AFlightThatIsBehindDoesNotBeginAgainWithTheFirstFrames) {
  create_flight(3);
  int run = 0;
  of(Network::kVpr).on_run = [&run] {
    if (++run == 1) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  };
  EXPECT_EQ(fly(100.0), FlightEnd::kFrames);
  EXPECT_EQ(slots(), 3U);
  std::set<std::string> pictures;
  for (const Json& line : lines()) EXPECT_TRUE(pictures.insert(line["picture"].get<std::string>()).second);
  EXPECT_EQ(*pictures.rbegin(), "02.png") << "the last one is flown, however late";
}

TEST_F(FlightLoopTest, BadPicturesCostTheirFrameAndAreTold) {
  create_flight(6);
  root_.write("frames/01.png", "no picture");
  root_.write("frames/03.png", encode_png(make_picture(kSide, kSide + 2)));
  std::filesystem::remove(root_.path() / "frames/04.png");
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  EXPECT_EQ(statistics().frames(), 6U);
  EXPECT_EQ(statistics().positions(), 3U);
  EXPECT_EQ(statistics().failed(Reason::kFrameUnreadable), 1U);
  EXPECT_EQ(statistics().failed(Reason::kShapeMismatch), 1U);
  EXPECT_EQ(statistics().failed(Reason::kNotFound), 1U);
  ASSERT_EQ(events_.count(FrameEvent::Kind::kFrameDropped), 3U);
  EXPECT_EQ(events_.posted, 3U);
  EXPECT_EQ(events_.frames[0].reason, Reason::kFrameUnreadable);
  EXPECT_EQ(events_.frames[0].frame, 1U);
  EXPECT_STREQ(events_.frames[0].backbone.data(), "acquire");
  EXPECT_EQ(statistics().latency(Stage::kFrame).count(), 3U)
      << "a frame without a picture is worked up by nobody";
  EXPECT_EQ(statistics().latency(Stage::kAcquire).count(), 6U);
}

TEST_F(FlightLoopTest, AFrameThatIsNowhereIsToldByTheLoopAFailedRunByItself) {
  create_flight(3);
  root_.write("frames/01.png", encode_gray(noise_picture(77)));
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  ASSERT_EQ(events_.posted, 1U);
  EXPECT_EQ(events_.frames[0].kind, FrameEvent::Kind::kFrameDropped);
  EXPECT_EQ(events_.frames[0].reason, Reason::kNoPosition);
  EXPECT_STREQ(events_.frames[0].backbone.data(), "solve");
  events_.posted = 0;
  behaviour_.fail(Network::kVpr, Reason::kExecutionFailed, 1, 1);
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  EXPECT_EQ(events_.count(FrameEvent::Kind::kInferenceFailed), 1U);
  EXPECT_EQ(events_.count(FrameEvent::Kind::kFrameDropped), 1U)
      << "the run told its failure, the loop the frame's";
}

TEST_F(FlightLoopTest, ALostDeviceEndsTheFlightWithItsCode) {
  create_flight(10);
  behaviour_.fail(Network::kMatcher, Reason::kDeviceLost, 1, 7 + 5, 719);  // in the second frame's matching
  EXPECT_EQ(fly(4.0), FlightEnd::kDeviceLost);
  EXPECT_EQ(loop_->native_code(), 719);
  EXPECT_EQ(statistics().frames(), 2U);
  EXPECT_EQ(statistics().failed(Reason::kDeviceLost), 1U);
  EXPECT_EQ(lines().size(), 2U) << "the frame that lost it is accounted for";
}

TEST_F(FlightLoopTest, OtherFailuresDoNotEndTheFlight) {
  create_flight(4);
  behaviour_.fail(Network::kVpr, Reason::kExecutionFailed, 2, 1);
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  EXPECT_EQ(statistics().frames(), 4U);
  EXPECT_EQ(statistics().positions(), 2U);
  EXPECT_EQ(loop_->native_code(), 0);
}

/// One frame in ten minutes: only the signal can end it in a test's time.
TEST_F(FlightLoopTest, ASignalEndsItWhileItSleeps) {
  create_flight(3);
  std::thread sender([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    send_signal(SIGTERM);
  });
  EXPECT_EQ(fly(1.0 / 600.0), FlightEnd::kSignal);
  sender.join();
  EXPECT_EQ(statistics().frames(), 1U);
  EXPECT_EQ(fly(100.0), FlightEnd::kSignal) << "and every flight after it, before its first frame";
  EXPECT_EQ(statistics().frames(), 0U);
}

TEST_F(FlightLoopTest, EveryFrameTellsTheSupervisor) {
  create_flight(3);
  skua::test::TempFolder folder;
  const std::string path = (folder.path() / "notify").string();
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  supervisor_.reset();
  supervisor_.emplace(Supervisor::connect(path, "3").value());  // a microsecond: every frame
  EXPECT_EQ(fly(4.0), FlightEnd::kFrames);
  char text[64];
  int heard = 0;
  while (::recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0) ++heard;
  ::close(fd);
  EXPECT_EQ(heard, 3);
}

TEST_F(FlightLoopTest, EndsHaveNames) {
  EXPECT_EQ(to_string(FlightEnd::kSignal), "signal");
  EXPECT_EQ(to_string(FlightEnd::kDuration), "duration");
  EXPECT_EQ(to_string(FlightEnd::kFrames), "frames");
  EXPECT_EQ(to_string(FlightEnd::kDeviceLost), "device_lost");
}

}  // namespace
}  // namespace skua::flight
