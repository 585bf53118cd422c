// The sets of tests/golden, in the form that a release wrote, get the verdicts that they got then, for ever.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cache/set_judge.h"
#include "cache/utc_text.h"
#include "cache_fixture.h"
#include "counts.h"
#include "fixed_clock.h"

namespace skua::test {
namespace {

const fs::path kGolden = fs::path(SKUA_SOURCE_DIR) / "tests" / "golden" / "v1";

/// A line of verdicts.txt.
struct Line {
  std::string set, keys, unsigned_sets, clock, smallest, largest, verdict;
  std::string text() const {
    return set + ", keys " + keys + ", unsigned " + unsigned_sets + ", clock " + clock + ", from " +
           smallest + " to " + largest;
  }
};

std::vector<Line> lines() {
  std::vector<Line> lines;
  std::ifstream file(kGolden / "verdicts.txt");
  for (std::string text; std::getline(file, text);) {
    if (text.empty() || text.front() == '#') continue;
    std::istringstream row(text);
    Line line;
    row >> line.set >> line.keys >> line.unsigned_sets >> line.clock >> line.smallest >> line.largest >>
        line.verdict;
    EXPECT_FALSE(row.fail()) << text;
    lines.push_back(line);
  }
  return lines;
}

PublicKey key_of(const std::string& name) {
  std::ifstream file(kGolden / (name + ".pub"));
  std::ostringstream text;
  text << file.rdbuf();
  return PublicKey::from_pem(text.str()).value();
}

GatePolicy policy_of(const Line& line) {
  GatePolicy policy;
  for (const std::string name : {"trusted", "next"}) {
    if (line.keys == name || line.keys == "both") policy.trusted_keys.push_back(key_of(name));
  }
  policy.allow_unsigned = line.unsigned_sets == "yes";
  if (line.smallest != "-") policy.minimum_release_sequence = std::stoull(line.smallest);
  if (line.largest != "-") policy.maximum_release_sequence = std::stoull(line.largest);
  return policy;
}

/// A copy with the owner and the modes that a published set has; git keeps neither.
class Copy {
 public:
  explicit Copy(const std::string& set) : folder_(temp_.path() / set) {
    fs::copy(kGolden / set, folder_, fs::copy_options::recursive);
    fs::permissions(folder_, fs::perms(0755));
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_))
      fs::permissions(entry.path(), entry.is_directory() ? fs::perms(0755) : fs::perms(0644));
  }
  const fs::path& folder() const { return folder_; }
  std::string golden_file() const {
    return fs::relative(fs::directory_iterator(folder_ / "golden")->path(), temp_.path()).string();
  }
  void flip_last_byte(const std::string& name) const {
    std::string bytes = temp_.read(name);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    temp_.write(name, bytes);
  }

 private:
  TempFolder temp_;
  fs::path folder_;
};

std::string judged(const fs::path& folder, const Line& line) {
  FixedClock clock;
  const std::string date = line.clock == "-" ? "2026-06-01" : line.clock;
  clock.now_us = utc_seconds(date + "T00:00:00Z").value() * 1000000;
  const auto admitted = admit_set(posix_file_system(), folder, policy_of(line), clock);
  if (!admitted.ok()) return std::string(to_string(admitted.error().reason));
  for (const FileVerdict& verdict : judge_files(*admitted, {orin(), [](const auto&) { return true; }, 1})) {
    if (!verdict.status.ok()) return std::string(to_string(verdict.status.error().reason));
  }
  return "accepted";
}

TEST(GoldenSets, EachHasTheVerdictThatItAlwaysHad) {
  const std::vector<Line> all = lines();
  EXPECT_GE(static_cast<std::int64_t>(all.size()), skua_test::count("golden_sets"));
  for (const Line& line : all) EXPECT_EQ(judged(Copy(line.set).folder(), line), line.verdict) << line.text();
  skua_test::reached("golden_sets", static_cast<std::int64_t>(all.size()));
}

/// Were every set accepted, or none, the test above would prove nothing: what is accepted is refused when one
/// byte is another, and what is refused would be accepted with the good set, or under the plain policy.
TEST(GoldenSets, EachVerdictIsOfWhatWasJudged) {
  const Line plain = {"good", "trusted", "no", "-", "-", "-", "accepted"};
  for (const Line& line : lines()) {
    if (line.verdict == "accepted") {
      const Copy copy(line.set);
      copy.flip_last_byte(copy.golden_file());
      EXPECT_EQ(judged(copy.folder(), line), "listed_file_hash_mismatch") << line.text();
      continue;
    }
    const bool is_the_sets_fault = judged(Copy("good").folder(), line) == "accepted";
    const bool is_the_policys_fault = judged(Copy(line.set).folder(), plain) == "accepted";
    EXPECT_TRUE(is_the_sets_fault || is_the_policys_fault) << line.text();
  }
}

TEST(GoldenSets, EverySetIsJudged) {
  std::set<std::string> judged_sets, kept;
  for (const Line& line : lines()) judged_sets.insert(line.set);
  std::uintmax_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kGolden)) {
    if (entry.is_directory() && entry.path().parent_path() == kGolden) kept.insert(entry.path().filename());
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  EXPECT_EQ(judged_sets, kept);
  EXPECT_LT(bytes, 400U * 1024U);
}

}  // namespace
}  // namespace skua::test
