// Scenarios of publishing, signing and collecting sets; crash_scenario_list.h has the others.
#pragma once

#include "crash_record.h"

namespace skua::test {

/// One key for all: what is signed differs in every run anyway.
inline const PrivateKey& crash_key() {
  static const PrivateKey key = PrivateKey::generate().value();
  return key;
}

inline CrashScenario first_publish() {
  const MemoryTree before = crash_disk();
  const CrashAct publish = [](FileSystem& files) { return crash_publish_set(files, 1); };
  const KnownSets known = known_sets(after(before, {publish}));
  CrashScenario scenario{"first publish", "publish", {record(before, publish)}, {}, {}};
  scenario.judge = [known](MemoryFileSystem& disk, std::size_t promises) {
    const std::set<std::string> allowed =
        promises > 0 ? std::set<std::string>{"set-1"} : std::set<std::string>{"", "set-1"};
    return first_of({judge_visible(disk, known), judge_flying(disk, ground_policy(), known, allowed)});
  };
  scenario.next_writer = [known](MemoryFileSystem& disk) {
    return first_of({text_of(crash_publish_again(disk, 1)),
                     judge_flying(disk, ground_policy(), known, {"set-1"}), judge_no_leftovers(disk, kSets)});
  };
  return scenario;
}

/// Of a publish of set-2 where set-1 flies.
inline void judge_publish(CrashScenario& scenario, const KnownSets& known, const GatePolicy& policy,
                          const PrivateKey* key) {
  scenario.judge = [known, policy](MemoryFileSystem& disk, std::size_t promises) {
    const std::set<std::string> allowed =
        promises > 0 ? std::set<std::string>{"set-2"} : std::set<std::string>{"set-1", "set-2"};
    return first_of({judge_visible(disk, known), judge_flying(disk, policy, known, allowed)});
  };
  scenario.next_writer = [known, policy, key](MemoryFileSystem& disk) {
    return first_of({text_of(crash_publish_again(disk, 2, key)), judge_flying(disk, policy, known, {"set-2"}),
                     judge_no_leftovers(disk, kSets)});
  };
}

inline CrashScenario publish_over(const std::string& name, const PrivateKey* key, bool is_after_kill) {
  const MemoryTree before =
      after(crash_disk(), {[key](FileSystem& files) { return crash_publish_set(files, 1, key); }});
  const CrashAct publish = [key](FileSystem& files) { return crash_publish_set(files, 2, key); };
  const CrashAct again = [key](FileSystem& files) { return crash_publish_again(files, 2, key); };
  CrashScenario scenario{name, "publish", {}, {}, {}};
  scenario.logs = is_after_kill ? record_after_kills(before, publish, again)
                                : std::vector<CrashLog>{record(before, publish)};
  judge_publish(scenario, known_sets(after(before, {publish})),
                key != nullptr ? key_policy(*key) : ground_policy(), key);
  return scenario;
}

/// A set that flies unsigned on the ground gets its signature; or set-2 was signed in vain before.
inline CrashScenario add_signature_to_current(bool is_after_kill) {
  const MemoryTree before =
      after(crash_disk(), {[](FileSystem& files) { return crash_publish_set(files, 1); }});
  const CrashAct sign = [](FileSystem& files) { return crash_sign(files, 1, crash_key()); };
  const KnownSets known = known_sets(before);
  CrashScenario scenario{
      is_after_kill ? "sign CURRENT after a killed sign" : "sign CURRENT", "sign", {}, {}, {}};
  scenario.logs =
      is_after_kill ? record_after_kills(before, sign, sign) : std::vector<CrashLog>{record(before, sign)};
  scenario.judge = [known](MemoryFileSystem& disk, std::size_t promises) {
    GatePolicy policy = key_policy(crash_key());
    policy.allow_unsigned = promises == 0;
    return first_of({judge_visible(disk, known), judge_flying(disk, policy, known, {"set-1"})});
  };
  scenario.next_writer = [known](MemoryFileSystem& disk) {
    return first_of({text_of(crash_sign(disk, 1, crash_key())),
                     judge_flying(disk, key_policy(crash_key()), known, {"set-1"}),
                     judge_no_leftovers(disk, kSets)});
  };
  return scenario;
}

/// Four sets, of which CURRENT's and the newest other one stay.
inline CrashScenario collect_old(bool is_after_kill) {
  std::vector<CrashAct> acts;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    acts.emplace_back([i](FileSystem& files) { return crash_publish_set(files, i); });
  }
  const MemoryTree before = after(crash_disk(), acts);
  const KnownSets known = known_sets(before);
  const CrashAct collect = [](FileSystem& files) { return crash_collect(files, ground_policy(), 1); };
  CrashScenario scenario{
      is_after_kill ? "collect after a killed collector" : "collect", "collect", {}, {}, {}};
  scenario.logs = is_after_kill ? record_after_kills(before, collect, collect)
                                : std::vector<CrashLog>{record(before, collect)};
  const auto judge = [known](MemoryFileSystem& disk) {
    const bool keeps_spare = is_exactly(disk.tree(), known, "set-3");
    return first_of({judge_visible(disk, known), keeps_spare ? "" : "set-3, which was to stay, is lost",
                     judge_flying(disk, ground_policy(), known, {"set-4"})});
  };
  scenario.judge = [judge](MemoryFileSystem& disk, std::size_t) { return judge(disk); };
  scenario.next_writer = [judge](MemoryFileSystem& disk) {
    const std::string verdict = first_of({text_of(crash_collect(disk, ground_policy(), 1)), judge(disk)});
    const std::size_t names = disk.open_folder(kSets).value()->list().value().size();
    return first_of({verdict, names == 3 ? "" : "something else than CURRENT and two sets stays"});
  };
  return scenario;
}

}  // namespace skua::test
