// Scenarios of cache entries and of the ratchet, and the list of all.
#pragma once

#include "cache/release_ratchet.h"
#include "crash_copy_scenarios.h"

namespace skua::test {

/// "old", "new", "refused" (is rebuilt), or what is wrong.
inline std::string cache_entry(MemoryFileSystem& disk, std::size_t old_size, std::size_t new_size) {
  const auto folder = disk.open_folder(kCache).value();
  BufferPool pool(1);
  const auto admitted =
      admit_cached(*folder, {crash_record().file, {}, Precision::kFp16, orin(), true}, pool);
  if (!admitted.ok()) return "refused";
  const EngineRecord& record = admitted->record();
  const auto golden = read_text(*folder, record.golden.file, kSetLimit);
  if (!golden.ok() || digest_of(*golden) != record.golden.sha256) return "a mixture of two entries";
  if (record.engine_sha256 == digest_of(crash_plan(old_size))) return "old";
  return record.engine_sha256 == digest_of(crash_plan(new_size)) ? "new" : "a bad entry is accepted";
}

inline CrashScenario publish_entry_over(std::optional<Interruption> how) {
  constexpr std::size_t kOld = 1300, kNew = 1700;
  const MemoryTree before = crash_disk();
  const CrashAct publish = [](FileSystem& files) { return crash_publish_engine(files, crash_plan(kNew)); };
  CrashScenario scenario{"cache entry", "cache", {}, {}, {}};
  scenario.logs =
      how ? record_after(*how, before, publish, publish) : std::vector<CrashLog>{record(before, publish)};
  if (how)
    scenario.name += *how == Interruption::kKill ? " after a killed publish" : " after a failed publish";
  scenario.judge = [](MemoryFileSystem& disk, std::size_t promises) -> std::string {
    const std::string found = cache_entry(disk, kOld, kNew);
    const std::set<std::string> allowed =
        promises > 0 ? std::set<std::string>{"new"} : std::set<std::string>{"old", "new", "refused"};
    return allowed.count(found) != 0 ? "" : found;
  };
  scenario.next_writer = [publish](MemoryFileSystem& disk) {
    const std::string done = text_of(publish(disk));
    const std::string found = cache_entry(disk, kOld, kNew);
    return first_of({done, found == "new" ? "" : found, judge_no_leftovers(disk, kCache)});
  };
  return scenario;
}

inline const fs::path kState = "/state";

inline std::string text_of(const std::optional<std::uint64_t>& sequence) {
  return sequence ? std::to_string(*sequence) : "none";
}

/// `first` and, where it is not empty, `second` after `first` was killed. While they run one of `meanwhile`
/// is accepted, and `finally` afterwards.
inline CrashScenario ratchet_scenario(const std::string& name, const MemoryTree& before,
                                      const CrashAct& first, const CrashAct& second,
                                      std::set<std::string> meanwhile, const std::string& finally) {
  CrashScenario scenario{name, "ratchet", {}, {}, {}};
  scenario.logs =
      second ? record_after_kills(before, first, second) : std::vector<CrashLog>{record(before, first)};
  scenario.judge = [meanwhile, finally](MemoryFileSystem& disk, std::size_t promises) -> std::string {
    const auto ratchet = read_ratchet(disk, kState);
    if (!ratchet.ok()) return ratchet.error().describe();
    const std::string found = text_of(ratchet->accepted);
    const bool is_right = promises > 0 ? found == finally : meanwhile.count(found) != 0;
    return is_right ? "" : "the ratchet says " + found + " after " + std::to_string(promises) + " promises";
  };
  scenario.next_writer = [](MemoryFileSystem& disk) {
    const std::string done = text_of(accept_sequence(disk, kState, 9));
    const auto ratchet = read_ratchet(disk, kState);
    const bool is_right = ratchet.ok() && ratchet->accepted == 9U && !ratchet->is_one_copy_bad;
    return first_of({done, is_right ? "" : "the ratchet does not say 9",
                     judge_no_leftovers(disk, kState / kRatchetFolder)});
  };
  return scenario;
}

inline std::vector<CrashScenario> ratchet_scenarios() {
  const auto accept = [](std::uint64_t sequence) -> CrashAct {
    return [sequence](FileSystem& files) { return accept_sequence(files, kState, sequence); };
  };
  const CrashAct reset = [](FileSystem& files) { return reset_ratchet(files, kState, 2); };
  const MemoryTree empty = crash_disk();
  const MemoryTree before = after(empty, {accept(5)});
  return {
      ratchet_scenario("first ratchet", empty, accept(6), {}, {"none", "6"}, "6"),
      ratchet_scenario("first ratchet after a killed one", empty, accept(6), accept(6), {"none", "6"}, "6"),
      ratchet_scenario("ratchet", before, accept(6), {}, {"5", "6"}, "6"),
      ratchet_scenario("ratchet after a killed one", before, accept(6), accept(7), {"5", "6", "7"}, "7"),
      ratchet_scenario("the same ratchet after a killed one", before, accept(6), accept(6), {"5", "6"}, "6"),
      ratchet_scenario("reset ratchet", before, reset, {}, {"5", "2"}, "2"),
      ratchet_scenario("reset ratchet after a killed one", before, reset, reset, {"5", "2"}, "2")};
}

inline std::vector<CrashScenario> crash_scenarios() {
  std::vector<CrashScenario> all = {first_publish(),
                                    publish_over("publish over a set", nullptr, false),
                                    publish_over("publish after a killed publish", nullptr, true),
                                    publish_over("publish signed", &crash_key(), false),
                                    publish_over("publish signed after a killed publish", &crash_key(), true),
                                    add_signature_to_current(false),
                                    add_signature_to_current(true),
                                    collect_old(false),
                                    collect_old(true),
                                    collect_after_copy(),
                                    publish_after_copy("take over a copy by hand", false, nullptr),
                                    publish_after_copy("take over a signed copy", false, &crash_key()),
                                    publish_after_copy("nothing to do after a copy", true, &crash_key()),
                                    collect_after_killed_publish(),
                                    collect_after_killed_sign(),
                                    publish_entry_over(std::nullopt),
                                    publish_entry_over(Interruption::kKill),
                                    publish_entry_over(Interruption::kFault)};
  for (CrashScenario& scenario : ratchet_scenarios()) all.push_back(std::move(scenario));
  return all;
}

}  // namespace skua::test
