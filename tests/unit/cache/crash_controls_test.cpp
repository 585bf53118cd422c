// The negative controls of the crash states: of every sync the enumeration knows what it is good for, because
// without it a state is found that breaks a promise; and a rename that overtakes its sync is found as well.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "crash_scenario_list.h"

namespace skua::test {
namespace {

/// ".tmp-0123456789abcdef" without what is random.
std::string without_random(const std::string& text) {
  constexpr std::size_t kDigits = 17;  // with the dash
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    if (result.ends_with(".tmp") || result.ends_with(".staging")) i += kDigits;
  }
  return result;
}

bool is_sync(const DiskOp& op) {
  return op.kind == DiskOpKind::kSyncFile || op.kind == DiskOpKind::kSyncFolder;
}

/// What a file is called in the end, a folder by its path and by what was done last before its sync.
std::string label_of(const CrashLog& log, std::size_t at) {
  const DiskOp& op = log.ops[at];
  std::string label = without_random(op.text);
  if (op.kind == DiskOpKind::kSyncFolder) {
    const auto change =
        std::find_if(std::make_reverse_iterator(log.ops.begin() + static_cast<int>(at)), log.ops.rend(),
                     [](const DiskOp& one) { return one.kind == DiskOpKind::kEntries; });
    return label + (change == log.ops.rend() ? " at first" : " after " + without_random(change->text));
  }
  std::string name;
  for (const DiskOp& one : log.ops) {
    for (const EntryChange& change : one.changes) {
      if (change.inode == op.inode) name = without_random(change.name);
    }
  }
  return label + (name.empty() ? "" : ", which becomes " + name);
}

/// Whether the gates find a broken promise in a log.
bool is_found(const CrashScenario& scenario, const CrashLog& log) {
  CrashExplorer explorer(scenario.judge);
  explorer.stop_at_first();
  explorer.explore_edges(log);
  if (explorer.violations().empty()) explorer.explore_by_chance(log, explorer.states().size() + 40, 7);
  return !explorer.violations().empty();
}

CrashLog without_sync(const CrashLog& log, std::size_t at) {
  CrashLog changed = log;
  changed.ops[at].inode = 0;  // of nothing
  return changed;
}

/// Syncs that no state needs, each with the reason why the product has it all the same.
const std::map<std::string, std::string>& redundant_syncs() {
  static const std::map<std::string, std::string> syncs = {};
  return syncs;
}

// Not passing yet: many syncs of other stages than those that a scenario is about are found redundant, and
// the reasons for those are not written down.
TEST(CrashStates, DISABLED_NoSyncCanBeLeftOut) {
  std::map<std::string, bool> is_needed;  // by family and label
  for (const CrashScenario& scenario : crash_scenarios()) {
    for (const CrashLog& log : scenario.logs) {
      for (std::size_t at = log.from; at < log.ops.size(); ++at) {
        if (!is_sync(log.ops[at])) continue;
        bool& needed = is_needed[scenario.family + ": " + label_of(log, at)];
        if (!needed) needed = is_found(scenario, without_sync(log, at));
      }
    }
  }
  for (const auto& [label, needed] : is_needed) {
    std::printf("%s | %s\n", needed ? "needed   " : "redundant", label.c_str());
    EXPECT_NE(needed, redundant_syncs().count(label) != 0) << label;
  }
  for (const auto& [label, reason] : redundant_syncs()) {
    EXPECT_EQ(is_needed.count(label), 1U) << label << " is not done any more";
  }
}

/// The rename at `at`, done before the last sync in front of it.
std::optional<CrashLog> overtaking(const CrashLog& log, std::size_t at) {
  std::size_t sync = at;
  while (sync > log.from && !is_sync(log.ops[sync])) --sync;
  if (!is_sync(log.ops[sync])) return std::nullopt;
  CrashLog changed = log;
  const auto begin = changed.ops.begin();
  std::rotate(begin + static_cast<int>(sync), begin + static_cast<int>(at), begin + static_cast<int>(at) + 1);
  return changed;
}

TEST(CrashStates, ARenameThatOvertakesItsSyncIsFound) {
  std::set<std::string> found;
  for (const CrashScenario& scenario : crash_scenarios()) {
    for (const CrashLog& log : scenario.logs) {
      for (std::size_t at = log.from; at < log.ops.size(); ++at) {
        const DiskOp& op = log.ops[at];
        if (op.changes.size() != 2) continue;  // no rename
        const std::string label = scenario.family + ": " + without_random(op.text);
        if (found.count(label) != 0) continue;
        const auto changed = overtaking(log, at);
        if (changed && is_found(scenario, *changed)) found.insert(label);
      }
    }
  }
  for (const std::string& label : found) std::printf("found | %s\n", label.c_str());
  // Not of the cache: an entry of which a part is missing is refused and compiled again, which loses nothing.
  for (const char* label :
       {"publish: rename /sets/.staging set-2", "publish: rename /sets/.tmp CURRENT",
        "sign: move /sets/.tmp set-1/model.sig", "collect: rename /sets/set-1 .staging",
        "ratchet: rename /state/release/.tmp ratchet.a", "ratchet: rename /state/release/.tmp ratchet.b"}) {
    EXPECT_EQ(found.count(label), 1U) << label;
  }
}

}  // namespace
}  // namespace skua::test
