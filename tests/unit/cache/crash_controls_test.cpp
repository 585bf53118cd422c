// The negative controls of the crash states: of every sync the enumeration knows what it is good for, because
// without it a state is found that breaks a promise; and a rename that overtakes its sync is found as well.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "crash_scenario_list.h"

namespace skua::test::crash_controls_tests {
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

/// The last entries that changed before `at`, in what was done since `begin`; nullptr: none did.
const DiskOp* change_before(const CrashLog& log, std::size_t begin, std::size_t at) {
  while (at-- > begin) {
    if (log.ops[at].kind == DiskOpKind::kEntries) return &log.ops[at];
  }
  return nullptr;
}

const DiskOp* change_after(const CrashLog& log, std::size_t at) {
  while (++at < log.ops.size()) {
    if (log.ops[at].kind == DiskOpKind::kEntries) return &log.ops[at];
  }
  return nullptr;
}

/// The same text for every set.
std::string without_number(std::string text) {
  for (std::size_t at; (at = text.find("set-")) != std::string::npos;) text.erase(at + 3, 2);
  return text;
}

/// "/sets/.tmp, which becomes CURRENT"
std::string file_site(const CrashLog& log, const DiskOp& op) {
  const std::string label = without_random(op.text);
  std::string name;
  for (const DiskOp& one : log.ops) {
    for (const EntryChange& change : one.changes) {
      if (change.inode == op.inode) name = without_random(change.name);
    }
  }
  return name.empty() || label.ends_with("/" + name) ? label : label + ", which becomes " + name;
}

/// Which sync of the product this is, by what it is there for: a folder's by what was done in front of it,
/// where several places sync the same folder.
std::string site_of(const CrashScenario& scenario, const CrashLog& log, std::size_t at) {
  const DiskOp& op = log.ops[at];
  const std::string family = scenario.family + ": ";
  if (op.kind == DiskOpKind::kSyncFile) return family + without_number(file_site(log, op));
  const std::string label = without_random(op.text);
  const DiskOp* const before = change_before(log, log.from, at);
  const DiskOp* const after = change_after(log, at);
  if (before == nullptr && after != nullptr && after->text.starts_with("remove")) {
    return "every writer: sync-folder before leftovers go";
  }
  if (at > 0 && log.ops[at - 1].text == "sync /sets/CURRENT") return family + label + " with CURRENT";
  const bool has_many =
      label == "sync-folder /sets" || label == "sync-folder /cache" || label == "sync-folder /state/release";
  const std::string reason = !has_many ? "" : before == nullptr ? " at first" : " after " + before->text;
  return family + without_number(label + without_random(reason));
}

/// Whether the gates find a broken promise in a log.
bool is_found(const CrashScenario& scenario, const CrashLog& log) {
  CrashExplorer explorer(scenario.judge);
  explorer.stop_at_first();
  explorer.explore_edges(log);
  return !explorer.violations().empty();
}

CrashLog without_sync(const CrashLog& log, std::size_t at) {
  CrashLog changed = log;
  changed.ops[at].inode = 0;  // of nothing
  return changed;
}

/// Syncs that no state needs, each with the reason why the product has it all the same.
const std::map<std::string, std::string>& redundant_syncs() {
  static const std::map<std::string, std::string> syncs = {
      {"ratchet: sync-folder /state/release after rename /state/release/.tmp ratchet.b",
       "the first copy is on the disk before the second one is begun: against damage, which is no crash "
       "state"}};
  return syncs;
}

/// Those with few logs first: most sites are found to be needed there, and are not looked at again.
std::vector<CrashScenario> short_ones_first() {
  std::vector<CrashScenario> all = crash_scenarios();
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.logs.size() < b.logs.size(); });
  return all;
}

TEST(CrashStates, NoSyncCanBeLeftOut) {
  std::map<std::string, bool> is_needed;  // by site
  for (const CrashScenario& scenario : short_ones_first()) {
    for (const CrashLog& log : scenario.logs) {
      for (std::size_t at = log.from; at < log.ops.size(); ++at) {
        if (!is_sync(log.ops[at])) continue;
        bool& needed = is_needed[site_of(scenario, log, at)];
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
  for (const CrashScenario& scenario : short_ones_first()) {
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
  for (const char* label :
       {"publish: rename /sets/.staging set-2", "publish: rename /sets/.tmp CURRENT",
        "sign: move /sets/.tmp set-1/model.sig", "collect: rename /sets/set-1 .staging",
        "cache: rename /cache/.tmp-sidecar net__sm87_jp6.2_trt10.3_fp16.engine.sha256",
        "ratchet: rename /state/release/.tmp ratchet.a", "ratchet: rename /state/release/.tmp ratchet.b"}) {
    EXPECT_EQ(found.count(label), 1U) << label;
  }
}

}  // namespace
}  // namespace skua::test::crash_controls_tests
