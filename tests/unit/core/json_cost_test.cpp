// What a hostile JSON text may cost: the time grows with its bytes, not with their square.
#include <ctime>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/json_strict.h"

namespace skua {
namespace {

using Parse = std::function<bool(const std::string&)>;

bool by_us(const std::string& text) { return parse_json(text).ok(); }

// Processor time of this thread, so that what else runs on the machine counts little.
double seconds_of(const Parse& parse, const std::string& text) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double started = now();
  EXPECT_TRUE(parse(text));
  return now() - started;
}

std::string array_of(const std::string& element, int count) {
  std::string text = "[" + element;
  for (int i = 1; i < count; ++i) text += "," + element;
  return text + "]";
}

std::string object_of(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":0";
  return text + "}";
}

// How many times longer four times the elements take: about 4 when the cost is linear, 16 when it is square.
double growth(const Parse& parse, const std::function<std::string(int)>& make, int elements = 4000) {
  const std::string few = make(elements);
  const std::string many = make(4 * elements);
  std::vector<double> ratios;
  for (int i = 0; i < 9; ++i) {
    const double first = seconds_of(parse, few);
    ratios.push_back(seconds_of(parse, many) / first);
  }
  std::nth_element(ratios.begin(), ratios.begin() + 4, ratios.end());
  return ratios[4];
}

constexpr double kBetween = 8.0;  // between 4 and 16

TEST(JsonCost, GrowsWithTheNumberOfSiblings) {
  for (const char* element : {"{}", "[]", "0", "[[]]", R"({"a":{}})", R"("x")"}) {
    const auto make = [&](int count) { return array_of(element, count); };
    EXPECT_LT(growth(by_us, make), kBetween) << element;
  }
}

TEST(JsonCost, GrowsWithTheNumberOfKeys) { EXPECT_LT(growth(by_us, object_of), kBetween); }

// Control: the library's own builders, which are square in both.
TEST(JsonCost, AQuadraticParserIsSeen) {
  const auto with_callback = [](const std::string& text) {
    return !Json::parse(text, [](int, Json::parse_event_t, Json&) { return true; }).is_null();
  };
  const auto plainly = [](const std::string& text) { return !Json::parse(text).is_null(); };
  const auto objects = [](int count) { return array_of("{}", count); };
  EXPECT_GT(growth(with_callback, objects, 600), kBetween);  // more would take minutes
  EXPECT_GT(growth(plainly, object_of, 600), kBetween);
}

TEST(JsonCost, LongNumbersAreReadOnceOrRefused) {
  const auto digits = [](int count) { return std::string(static_cast<std::size_t>(count) * 16, '7'); };
  EXPECT_LT(growth([](const std::string& text) { return !parse_json(text).ok(); }, digits), kBetween);
  EXPECT_LT(growth(by_us, [&](int count) { return "0." + digits(count); }), kBetween);
  EXPECT_LT(growth(by_us, [&](int count) { return "0." + digits(count) + "e-99999"; }), kBetween);
}

}  // namespace
}  // namespace skua
