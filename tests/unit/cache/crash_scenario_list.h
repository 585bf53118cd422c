// The scenarios themselves.
#pragma once

#include "cache/release_ratchet.h"
#include "crash_publish_scenarios.h"

namespace skua::test {

/// Collecting where what flies is not sure to be on the disk: `bring` is how set-2 came, over set-1.
inline CrashScenario collect_unsettled(const std::string& name, const MemoryTree& before,
                                       std::vector<CrashLog> logs, const KnownSets& known,
                                       const GatePolicy& policy) {
  static_cast<void>(before);
  CrashScenario scenario{name, "collect", std::move(logs), {}, {}};
  scenario.judge = [known, policy](MemoryFileSystem& disk, std::size_t promises) -> std::string {
    const Flying found = flying(disk, policy);
    if (!found.id.empty() && !is_exactly(disk.tree(), known, found.id)) return "a bad set is accepted";
    if (found.id == "set-2" || is_exactly(disk.tree(), known, "set-1")) return "";
    return "the old set went while '" + found.id + "' flies after " + std::to_string(promises) +
           " promises: " + found.refusal;
  };
  scenario.next_writer = [known](MemoryFileSystem& disk) {
    return first_of({text_of(crash_publish_set(disk, 3)), judge_no_leftovers(disk, kSets)});
  };
  return scenario;
}

/// Copies the folder `from`/`name` into `to`, as cp does: without a sync.
inline Status copy_by_hand(Folder& from, Folder& to, const std::string& name) {
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, from.info(name));
  if (info.kind == FileKind::kFolder) {
    SKUA_RETURN_IF_ERROR(to.make_folder(name));
    SKUA_ASSIGN_OR_RETURN(const auto source, from.open_folder(name));
    SKUA_ASSIGN_OR_RETURN(const auto copy, to.open_folder(name));
    SKUA_ASSIGN_OR_RETURN(const auto names, source->list());
    for (const std::string& child : names) SKUA_RETURN_IF_ERROR(copy_by_hand(*source, *copy, child));
    return {};
  }
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_text(from, name, kSetLimit));
  SKUA_ASSIGN_OR_RETURN(const auto file, to.create(name));
  return file->write(bytes_of(text));
}

inline CrashScenario collect_after_copy() {
  const MemoryTree before =
      after(crash_disk(), {[](FileSystem& files) { return crash_publish_set(files, 1); }});
  const MemoryTree elsewhere = after(before, {[](FileSystem& files) { return crash_publish_set(files, 2); }});
  const CrashAct bring = [elsewhere](FileSystem& files) -> Status {
    MemoryFileSystem source(elsewhere);
    SKUA_ASSIGN_OR_RETURN(const auto from, source.open_folder(kSets));
    SKUA_ASSIGN_OR_RETURN(const auto to, files.open_folder(kSets));
    SKUA_RETURN_IF_ERROR(copy_by_hand(*from, *to, "set-2"));
    SKUA_ASSIGN_OR_RETURN(const auto current, to->create("next"));
    SKUA_RETURN_IF_ERROR(current->write(bytes_of("set-2\n")));
    return to->rename("next", kCurrentName);
  };
  MemoryFileSystem disk(before);
  EXPECT_TRUE(accepted(bring(disk)));
  const std::size_t from = disk.log().size();
  EXPECT_TRUE(accepted(crash_collect(disk, ground_policy(), 0)));
  EXPECT_FALSE(disk.tree().digest_below("/sets/set-1").has_value()) << "there was something to collect";
  CrashLog log{before, disk.log(), from, {disk.log().size()}};
  return collect_unsettled("collect after a copy by hand", before, {log}, known_sets(elsewhere),
                           ground_policy());
}

/// With a key: the set that flies was signed by somebody who was killed over it.
inline CrashScenario collect_after_killed_sign() {
  const MemoryTree before =
      after(crash_disk(), {[](FileSystem& files) { return crash_publish_set(files, 1, &crash_key()); },
                           [](FileSystem& files) { return crash_publish_set(files, 2); }});
  const GatePolicy policy = key_policy(crash_key());
  auto logs = record_after_kills(
      before, [](FileSystem& files) { return crash_sign(files, 2, crash_key()); },
      [policy](FileSystem& files) { return crash_collect(files, policy, 0); });
  return collect_unsettled("collect after a killed sign", before, std::move(logs), known_sets(before),
                           policy);
}

inline CrashScenario collect_after_killed_publish() {
  const MemoryTree before =
      after(crash_disk(), {[](FileSystem& files) { return crash_publish_set(files, 1); }});
  const CrashAct publish = [](FileSystem& files) { return crash_publish_set(files, 2); };
  auto logs = record_after_kills(before, publish,
                                 [](FileSystem& files) { return crash_collect(files, ground_policy(), 0); });
  return collect_unsettled("collect after a killed publish", before, std::move(logs),
                           known_sets(after(before, {publish})), ground_policy());
}

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

inline CrashScenario publish_entry_over(bool is_after_kill) {
  constexpr std::size_t kOld = 1300, kNew = 1700;
  const MemoryTree before = crash_disk();
  const CrashAct publish = [](FileSystem& files) { return crash_publish_engine(files, crash_plan(kNew)); };
  CrashScenario scenario{
      is_after_kill ? "cache entry after a killed publish" : "cache entry", "cache", {}, {}, {}};
  scenario.logs = is_after_kill ? record_after_kills(before, publish, publish)
                                : std::vector<CrashLog>{record(before, publish)};
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
                                    collect_after_killed_publish(),
                                    collect_after_killed_sign(),
                                    publish_entry_over(false),
                                    publish_entry_over(true)};
  for (CrashScenario& scenario : ratchet_scenarios()) all.push_back(std::move(scenario));
  return all;
}

}  // namespace skua::test
