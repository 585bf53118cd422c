// Power cuts: what publishing, signing, collecting and accepting leave on a disk is put before the real
// gates, state by state. Never a bad set accepted, never a committed one lost, and the next writer goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "counts.h"
#include "crash_scenario_list.h"

namespace skua::test {
namespace {

constexpr std::uint64_t kSeed = 20261128;

/// A scenario, and what was seen of it so far.
struct Explored {
  CrashScenario scenario;
  CrashExplorer explorer;
};

/// The gates on every state; the next writer on one state of all that look alike to a reader, and on every
/// `stride`-th of the others, which differ in what was left behind only.
CrashJudge gates_and_next_writer(const CrashScenario& scenario, std::uint64_t stride) {
  return [gate = scenario.judge, next = scenario.next_writer, stride,
          seen = std::make_shared<std::set<std::string>>(),
          others = std::uint64_t{0}](MemoryFileSystem& disk, std::size_t promises) mutable -> std::string {
    const bool is_new = seen->insert(disk.tree().visible_digest().hex()).second;
    const std::string verdict = gate(disk, promises);
    if (!verdict.empty()) return verdict;
    if (!is_new && ++others % stride != 0) return "";
    const std::string afterwards = next(disk);
    return afterwards.empty() ? "" : "the next writer: " + afterwards;
  };
}

std::vector<Explored> edges_of_all() {
  const auto stride = static_cast<std::uint64_t>(skua_test::count("crash_writer_stride"));
  std::vector<Explored> all;
  for (CrashScenario& scenario : crash_scenarios()) {
    CrashJudge judge = gates_and_next_writer(scenario, stride);
    all.push_back({std::move(scenario), CrashExplorer(std::move(judge))});
    for (const CrashLog& log : all.back().scenario.logs) all.back().explorer.explore_edges(log);
  }
  return all;
}

std::size_t distinct_of(const std::vector<Explored>& all) {
  std::set<std::string> states;
  for (const Explored& one : all) states.insert(one.explorer.states().begin(), one.explorer.states().end());
  return states.size();
}

/// Gives every log its share of `more` further states.
void explore_further(Explored& one, std::size_t more, std::uint64_t seed) {
  std::size_t logs = one.scenario.logs.size();
  const std::size_t target = one.explorer.states().size() + more;
  for (const CrashLog& log : one.scenario.logs) {
    const std::size_t so_far = one.explorer.states().size();
    const std::size_t missing = target > so_far ? target - so_far : 0;
    one.explorer.explore_by_chance(log, so_far + (missing + logs - 1) / logs, seed++);
    --logs;
  }
}

TEST(CrashStates, NoBadSetIsAcceptedAndNoCommittedOneIsLost) {
  const auto wanted = static_cast<std::size_t>(skua_test::count("crash_states"));
  std::vector<Explored> all = edges_of_all();
  for (std::uint64_t round = 0; round < 100; ++round) {
    const std::size_t found = distinct_of(all);
    if (found >= wanted) break;
    for (Explored& one : all) explore_further(one, (wanted - found) / all.size() + 1, kSeed + 1000 * round);
    if (distinct_of(all) == found) break;  // there are no more
  }
  std::printf("crash states, distinct | judged | scenario\n");
  for (const Explored& one : all) {
    std::printf("%7zu | %7zu | %s\n", one.explorer.states().size(), one.explorer.judged(),
                one.scenario.name.c_str());
    for (const std::string& violation : one.explorer.violations()) {
      ADD_FAILURE() << one.scenario.name << ": " << violation;
    }
  }
  std::printf("%7zu | distinct in all\n", distinct_of(all));
  EXPECT_GE(distinct_of(all), wanted);
  skua_test::reached("crash_states", static_cast<std::int64_t>(distinct_of(all)));
}

}  // namespace
}  // namespace skua::test
