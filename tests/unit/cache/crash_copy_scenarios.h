// Scenarios in which what is there is not sure to be on the disk: copied by hand, or left by a killed
// program.
#pragma once

#include "crash_publish_scenarios.h"

namespace skua::test {

/// A scenario in which set-1 flies to begin with, and set-2 has come over it in a way that leaves open
/// whether it is on the disk: half of it may be seen. `judge` adds what has to hold of that.
inline CrashScenario unsettled(const std::string& name, const std::string& family, std::vector<CrashLog> logs,
                               const KnownSets& known, const GatePolicy& policy,
                               std::function<std::string(const Flying&, bool, std::size_t)> judge) {
  CrashScenario scenario{name, family, std::move(logs), {}, {}};
  scenario.judge = [known, policy, judge](MemoryFileSystem& disk, std::size_t promises) -> std::string {
    const Flying found = flying(disk, policy);
    if (!found.id.empty() && !is_exactly(disk.tree(), known, found.id)) return "a bad set is accepted";
    const std::string verdict = judge(found, is_exactly(disk.tree(), known, "set-1"), promises);
    return verdict.empty() ? "" : verdict + "; '" + found.id + "' flies: " + found.refusal;
  };
  scenario.next_writer = [](MemoryFileSystem& disk) {
    return first_of({text_of(crash_publish_set(disk, 3)), judge_no_leftovers(disk, kSets)});
  };
  return scenario;
}

/// Collecting must not take the old set away before the new one is sure to stay.
inline CrashScenario collect_unsettled(const std::string& name, std::vector<CrashLog> logs,
                                       const KnownSets& known, const GatePolicy& policy) {
  return unsettled(name, "collect", std::move(logs), known, policy,
                   [](const Flying& found, bool has_old, std::size_t) -> std::string {
                     return found.id == "set-2" || has_old ? "" : "the old set went too early";
                   });
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

/// Somebody copied set-2 beside set-1, which flies; with CURRENT, when asked for. Then `act`.
struct CopiedByHand {
  CopiedByHand(bool with_current, const PrivateKey* key, const CrashAct& act) {
    const MemoryTree before =
        after(crash_disk(), {[key](FileSystem& files) { return crash_publish_set(files, 1, key); }});
    MemoryFileSystem source(
        after(before, {[key](FileSystem& files) { return crash_publish_set(files, 2, key); }}));
    known = known_sets(source.tree());
    MemoryFileSystem disk(before);
    const auto to = disk.open_folder(kSets).value();
    EXPECT_TRUE(accepted(copy_by_hand(*source.open_folder(kSets).value(), *to, "set-2")));
    if (with_current) {
      constexpr std::string_view kNext = ".tmp-0000000000000000";
      EXPECT_TRUE(accepted(to->create(kNext).value()->write(bytes_of("set-2\n"))));
      EXPECT_TRUE(accepted(to->rename(kNext, kCurrentName)));
    }
    const std::size_t from = disk.log().size();
    EXPECT_TRUE(accepted(act(disk)));
    log = {before, disk.log(), from, {disk.log().size()}};
  }
  CrashLog log;
  KnownSets known;
};

inline CrashScenario collect_after_copy() {
  const GatePolicy policy = key_policy(crash_key());
  const CopiedByHand copied(true, &crash_key(),
                            [policy](FileSystem& files) { return crash_collect(files, policy, 0); });
  EXPECT_NE(copied.log.ops.back().text.find("remove"), std::string::npos) << "there was something to collect";
  return collect_unsettled("collect after a copy by hand", {copied.log}, copied.known, policy);
}

/// What was copied is taken over by a publish of the same, or found to be what flies already.
inline CrashScenario publish_after_copy(const std::string& name, bool with_current, const PrivateKey* key) {
  const CopiedByHand copied(with_current, key,
                            [key](FileSystem& files) { return crash_publish_again(files, 2, key); });
  return unsettled(name, "publish", {copied.log}, copied.known,
                   key != nullptr ? key_policy(*key) : ground_policy(),
                   [with_current](const Flying& found, bool has_old, std::size_t promises) -> std::string {
                     if (promises > 0) return found.id == "set-2" ? "" : "set-2 is lost";
                     if (with_current) return has_old ? "" : "the old set is lost";
                     return found.id.empty() ? "nothing flies any more" : "";
                   });
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
  return collect_unsettled("collect after a killed sign", std::move(logs), known_sets(before), policy);
}

inline CrashScenario collect_after_killed_publish() {
  const MemoryTree before =
      after(crash_disk(), {[](FileSystem& files) { return crash_publish_set(files, 1); }});
  const CrashAct publish = [](FileSystem& files) { return crash_publish_set(files, 2); };
  auto logs = record_after_kills(before, publish,
                                 [](FileSystem& files) { return crash_collect(files, ground_policy(), 0); });
  return collect_unsettled("collect after a killed publish", std::move(logs),
                           known_sets(after(before, {publish})), ground_policy());
}

}  // namespace skua::test
