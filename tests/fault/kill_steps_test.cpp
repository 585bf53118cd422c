// SIGKILL before each system call of everything that writes: what is there afterwards is the old or the new
// state, and the next writer finds its way.
#include <gtest/gtest.h>

#include "counts.h"
#include "ground_operations.h"
#include "stepper.h"

namespace skua::test {
namespace {

/// What was wrong after a kill; empty: nothing. The next attempt must get through and leave nothing behind.
std::string judge_kill(const Operation& operation, const World& world) {
  std::string why;
  if (operation.look(world, why) == After::kBad) return "after the kill: " + why;
  if (const Status again = operation.act(world); !again.ok()) return "again: " + again.error().describe();
  if (operation.look(world, why) != After::kNew) return "after the next attempt: not the new state; " + why;
  const auto left = leftovers(world.root);
  return left.empty() ? "" : "left behind: " + left.front();
}

struct KillSweep {
  std::int64_t kills = 0;
  std::map<After, int> seen;
  std::vector<std::string> complaints;
};

KillSweep kill_at_each_call(const WorldTemplate& origin, const Operation& operation) {
  KillSweep sweep;
  for (std::size_t at = 0;; ++at) {
    const World world = origin.fresh();
    operation.prepare(world);
    const StepTrace trace =
        run_stepped([&] { static_cast<void>(operation.act(world)); }, {Intervention::kKill, at});
    if (!trace.has_fired) return sweep;
    ++sweep.kills;
    std::string why;
    ++sweep.seen[operation.look(world, why)];
    if (!trace.was_killed) sweep.complaints.push_back("it lived on");
    const std::string complaint = judge_kill(operation, world);
    if (!complaint.empty()) {
      sweep.complaints.push_back("killed before " + call_name(trace.calls.back()) + ", call " +
                                 std::to_string(at) + ": " + complaint);
    }
  }
}

class KillSteps : public testing::Test {
 protected:
  void sweep(const Operation& operation, const WorldTemplate& origin) {
    const KillSweep found = kill_at_each_call(origin, operation);
    for (const std::string& complaint : found.complaints)
      ADD_FAILURE() << operation.name << ": " << complaint;
    EXPECT_GT(found.seen.at(After::kOld), 0) << "nothing was cut";
    EXPECT_GT(found.seen.at(After::kNew), 0) << "the last calls come after the commit";
    EXPECT_GE(found.kills, skua_test::count("kill_steps_each"));
    skua_test::reached("kill_steps", found.kills);
  }
  WorldTemplate origin_{memory_folder()};
};

TEST_F(KillSteps, PublishIsOldOrNew) { sweep(publish_operation(origin_.record()), origin_); }

TEST_F(KillSteps, ASignatureIsThereWholeOrNotAtAll) { sweep(sign_operation(origin_.record()), origin_); }

TEST_F(KillSteps, TheRatchetIsOldOrNew) {
  for (const bool is_first : {true, false}) sweep(accept_operation(is_first), origin_);
  sweep(reset_operation(), origin_);
}

TEST_F(KillSteps, ACollectedSetIsThereWholeOrNotAtAll) {
  sweep(collect_operation(), WorldTemplate(memory_folder(), 3));
}

TEST_F(KillSteps, AnEngineIsOldOrNewOrRefused) { sweep(engine_operation(origin_.record()), origin_); }

/// Negative control: a writer that moves CURRENT before its set is complete is found out.
TEST_F(KillSteps, AWriterInTheWrongOrderIsCaught) {
  Operation wrong = publish_operation(origin_.record());
  const auto act = wrong.act;
  wrong.act = [act](const World& world) -> Status {
    SKUA_ASSIGN_OR_RETURN(const auto sets, posix_file_system().open_folder(world.sets()));
    const std::string current = set_id_of(2) + "\n";
    SKUA_RETURN_IF_ERROR(publish_file(*sets, kCurrentName, std::as_bytes(std::span(current))));
    return act(world);
  };
  EXPECT_FALSE(kill_at_each_call(origin_, wrong).complaints.empty());
}

}  // namespace
}  // namespace skua::test
