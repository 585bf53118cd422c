#include "events/log_sink.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string>

#include "counts.h"
#include "pipe.h"
#include "pipeline_fixture.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StdoutTest : public PipelineTest {
 protected:
  void start_on(int fd) {
    LogSinkOptions sink;
    sink.fd = fd;
    options_.log = make_log_sink(LogTarget::kStdout, sink);
    options_.recorders = {recorder_};
    start();
  }
  void emit_many(int count) {
    for (int i = 0; i < count; ++i) {
      emit("c7.engine_built",
           "line " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 7) * 300, 'x'));
      if (i % 100 == 99) {
        ASSERT_TRUE(pipeline_->drain(kPlenty));
      }
    }
  }
  std::vector<std::string> told() const {
    std::vector<std::string> messages;
    for (const FlightRecord& record : recorder_->of_kind("log"))
      messages.push_back(std::get<std::string>(record.payload[3].second));
    return messages;
  }
};

/// Each line by itself, strictly; the last one must be whole too.
std::vector<Json> strict_lines(const std::string& text) {
  std::vector<Json> records;
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto record = parse_json(line);
    EXPECT_TRUE(record.ok()) << line.substr(0, 200);
    if (record.ok()) records.push_back(*std::move(record));
  }
  return records;
}

TEST_F(StdoutTest, ReaderThatStandsStillCostsLinesAndNothingElse) {
  Pipe pipe(1 << 16);
  start_on(pipe.write_end());
  EXPECT_EQ(options_.log->name(), "stdout");
  emit_many(1000);  // nobody reads, and every drain ends
  const PipelineCounts stalled = pipeline_->counts();
  EXPECT_GT(stalled.log_lost, 500U);
  EXPECT_EQ(stalled.emitted, 1000U);
  EXPECT_EQ(stalled.dropped, 0U);  // the queue never filled: the sink did not wait for the reader
  EXPECT_THAT(told(), ElementsAre(HasSubstr("stands still")));
  // The reader comes back.
  std::string text = pipe.read_available();
  clock_->now_ns = 1'000'000'000;
  for (int i = 0; i < 50; ++i) {
    emit_and_drain("c7.engine_built", "after");
    text += pipe.read_available();
  }
  const PipelineCounts counts = pipeline_->counts();
  EXPECT_EQ(counts.log_lost, stalled.log_lost);
  EXPECT_EQ(counts.log_offered, counts.log_written + counts.log_lost);
  const std::vector<Json> records = strict_lines(text);
  EXPECT_EQ(records.size(), counts.log_written);
  // Recorder and stream both say what the stream lacks.
  EXPECT_THAT(told(), ElementsAre(HasSubstr("stands still"), HasSubstr("stdout works again")));
  const auto report = std::find_if(records.begin(), records.end(),
                                   [](const Json& record) { return record["kind"] == "c7.sink_lost"; });
  ASSERT_NE(report, records.end());
  EXPECT_EQ((*report)["kv"]["lost_count"], stalled.log_lost);
}

TEST_F(StdoutTest, ReaderThatClosesIsReportedAndTheProcessLives) {
  Pipe pipe;
  start_on(pipe.write_end());
  emit_and_drain("c7.engine_built", "one");
  EXPECT_THAT(strict_lines(pipe.read_available()), SizeIs(1));
  pipe.close_reader();  // from here a write raises SIGPIPE where it is not blocked
  emit_and_drain("c7.engine_built", "two");
  emit_and_drain("c7.engine_refused", "three", Level::kError);
  EXPECT_EQ(pipeline_->counts().log_lost, 2U);
  EXPECT_THAT(told(), ElementsAre(HasSubstr("Broken pipe")));
  EXPECT_THAT(recorder_->of_kind("c7.engine_refused"), SizeIs(1));
}

TEST_F(StdoutTest, ClosedStdoutIsReported) {
  start_on(-1);
  emit_and_drain("c7.engine_built", "x");
  EXPECT_THAT(told(),
              ElementsAre(HasSubstr("stdout has lost 1 records since the start: Bad file descriptor")));
}

/// Texts as a hostile file name or SDK message may be: control bytes, quotes, broken and foreign UTF-8, very
/// long.
class HostileTexts {
 public:
  std::string next() {
    std::string text;
    const std::size_t size = pick(64) == 0 ? 2000 + pick(8000) : pick(40);
    while (text.size() < size) text += piece();
    return text;
  }

 private:
  std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }
  std::string piece() {
    static const std::vector<std::string> kNasty = {"\"",
                                                    "\\",
                                                    "\n",
                                                    "\r\n",
                                                    "\"}\n{\"ts\":\"",
                                                    "\xe2\x80\xa8",
                                                    "\xe2\x80\xa9",
                                                    "\xed\xa0\x80",
                                                    "\xc0\xaf",
                                                    "\xf4\x90\x80\x80",
                                                    "\xf0\x9f\x9a\x81",
                                                    "\xe2\x80\xae",
                                                    "\x1b[2J",
                                                    std::string(1, '\0'),
                                                    "\\u0022",
                                                    "\x7f",
                                                    "\xef\xbf\xbf",
                                                    "\xc2\x85",
                                                    "\xef\xbb\xbf",
                                                    "plain"};
    if (pick(2) == 0) return kNasty[pick(kNasty.size())];
    return std::string(1, static_cast<char>(pick(256)));
  }
  std::mt19937_64 random_{20260101};  // the same texts in every run
};

/// One event a text: in the message, as a value and as keys, two of which differ in their last byte alone.
Event hostile_event(HostileTexts& texts, std::int64_t number) {
  const std::string key = texts.next();
  return {Level::kWarn,
          "c7.engine_refused",
          texts.next(),
          {{"number", number},
           {"file", texts.next()},
           {key + "\xff", texts.next()},
           {key + "\xfe", texts.next()},
           {"exc." + texts.next(), number}}};
}

void expect_hostile_lines(const std::string& text, std::int64_t first, std::int64_t count) {
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), count);
  std::istringstream lines(text);
  std::int64_t number = first;
  for (std::string line; std::getline(lines, line); ++number) {
    ASSERT_EQ(line.find_first_of(std::string("\0\r\x1b\x7f", 4)), std::string::npos) << number;
    ASSERT_EQ(line.find("\xe2\x80\xa8"), std::string::npos) << number;
    const auto record = parse_json(line);
    ASSERT_TRUE(record.ok()) << number << ": " << record.error().describe();
    ASSERT_EQ(record->size(), 8U) << number;
    ASSERT_EQ((*record)["level"], "WARN") << number;
    ASSERT_EQ((*record)["kind"], "c7.engine_refused") << number;
    ASSERT_EQ((*record)["kv"]["number"], number);
  }
  ASSERT_EQ(number, first + count);
}

TEST_F(StdoutTest, EveryHostileTextIsExactlyOneStrictLine) {
  constexpr std::int64_t kPerFile = 20000;
  const std::int64_t total = skua_test::count("hostile_lines");
  HostileTexts texts;
  for (std::int64_t first = 0; first < total; first += kPerFile) {
    const TempFolder folder;
    const auto path = folder.write("log", "");
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    start_on(file);
    ::close(file);
    for (std::int64_t i = first; i < first + kPerFile; ++i) {
      pipeline_->emit(hostile_event(texts, i));
      if (i % 500 == 0) {
        ASSERT_TRUE(pipeline_->drain(kPlenty));
      }
    }
    ASSERT_TRUE(pipeline_->drain(kPlenty));
    ASSERT_EQ(pipeline_->counts().log_written, static_cast<std::uint64_t>(kPerFile));
    expect_hostile_lines(folder.read("log"), first, kPerFile);
    recorder_ = std::make_shared<FakeRecorder>();
  }
}

}  // namespace
}  // namespace skua::test
