#include <memory>

#include "cache/collect_sets.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/policy_arguments.h"
#include "core/json_strict.h"

namespace skua {
namespace {

struct CollectArguments {
  std::string folder;
  PolicyArguments policy;
  std::vector<std::string> settings;
  std::size_t keep = CollectOptions().keep;
  bool is_dry_run = false, removes_damaged = false;
};

std::string_view word_of(SetFate fate, bool is_dry_run) {
  switch (fate) {
    case SetFate::kCurrent:
      return "flies     ";
    case SetFate::kKept:
      return "kept      ";
    case SetFate::kInUse:
      return "in use    ";
    case SetFate::kNotJudged:
      return "untouched ";
    case SetFate::kDamaged:
      return "damaged   ";
    case SetFate::kRemoved:
      break;
  }
  return is_dry_run ? "would go  " : "removed   ";
}

void show(const CollectReport& report, bool is_dry_run, Console& console) {
  Json sets = Json::array();
  for (const CollectedSet& set : report) {
    sets.push_back({{"set_id", set.id},
                    {"fate", to_string(set.fate)},
                    {"release_sequence", set.release_sequence},
                    {"size_bytes", set.size_bytes},
                    {"why", set.why}});
    console.line(std::string(word_of(set.fate, is_dry_run)) + set.id +
                 (set.why.empty() ? "" : "  (" + set.why + ")"));
  }
  console.report()["is_dry_run"] = is_dry_run;
  console.report()["sets"] = std::move(sets);
}

Status collect(const CollectArguments& arguments, Session& session) {
  SKUA_ASSIGN_OR_RETURN(const std::filesystem::path folder, absolute_path(arguments.folder));
  CollectOptions options;
  SKUA_ASSIGN_OR_RETURN(options.policy, gate_policy(arguments.policy, arguments.settings, session.console));
  options.keep = arguments.keep;
  options.dry_run = arguments.is_dry_run;
  options.removes_damaged = arguments.removes_damaged;
  options.on_judging = [&](const std::string& id) { session.console.progress("verifying " + id); };
  SKUA_ASSIGN_OR_RETURN(const CollectReport report, collect_sets(posix_file_system(), folder, options));
  show(report, options.dry_run, session.console);
  return {};
}

}  // namespace

void add_collect(CLI::App& app, Action& action) {
  auto a = std::make_shared<CollectArguments>();
  CLI::App* command = app.add_subcommand("collect", "remove flight sets that are too old");
  command->add_option("SETS_DIR", a->folder, "folder of flight sets")->required();
  command->add_option("--keep", a->keep, "sets that stay beside the one that flies (default 2)")
      ->check(CLI::Range(0, 1000));
  command->add_flag("--damaged", a->removes_damaged,
                    "remove damaged sets, too: look at the storage and verify them again before");
  command->add_flag("--dry-run", a->is_dry_run, "tell what would be removed, remove nothing");
  add_policy_options(*command, a->policy);
  command->add_option("--set", a->settings,
                      "KEY=VALUE of the configuration; flight_set_limit_bytes counts here; may be repeated");
  command->callback([a, &action] { action = [a](Session& session) { return collect(*a, session); }; });
}

}  // namespace skua
