// What more lanes cost: 1, 2 and 4 of them running one engine at a time each on a thread of its own, in CPU
// time and in memory. The raw SDK runs the same beside it.
#include <malloc.h>

#include <ctime>

#include <algorithm>
#include <array>
#include <thread>

#include "program.h"

namespace skua::bench {
namespace {

constexpr std::array<std::size_t, 3> kLanes = {1, 2, 4};
constexpr double kBar = 1.05;  // an exponent of 1 is linear; lanes share caches, which is not ours to save

enum class Way { kSkua, kRaw };

double thread_cpu_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double heap_bytes() noexcept {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

Status run_once(BenchedEngine& engine, Way way) {
  return way == Way::kSkua ? engine.bound->run() : engine.raw->run(0);
}

/// CPU time of `calls` calls on each of the first `count` lanes, all at once, per call of one of them.
Result<double> cost_of(std::vector<BenchedEngine>& lanes, std::size_t count, std::size_t calls, Way way) {
  std::vector<double> spent_ns(count, 0.0);
  std::vector<Status> ended(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const double start_ns = thread_cpu_ns();
      for (std::size_t call = 0; call < calls && ended[i].ok(); ++call) ended[i] = run_once(lanes[i], way);
      spent_ns[i] = thread_cpu_ns() - start_ns;
    });
  }
  for (std::thread& thread : threads) thread.join();
  double total_ns = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    SKUA_RETURN_IF_ERROR(ended[i]);
    total_ns += spent_ns[i];
  }
  return total_ns / static_cast<double>(calls);
}

using Rounds = std::array<std::vector<double>, kLanes.size()>;

Estimate exponent_of(const Rounds& costs) {
  const std::vector<double> sizes(kLanes.begin(), kLanes.end());
  std::vector<double> exponents;
  for (std::size_t round = 0; round < costs.front().size(); ++round) {
    std::vector<double> of_round;
    for (const auto& of_lanes : costs) of_round.push_back(of_lanes[round]);
    exponents.push_back(estimate_growth(sizes, of_round).median);
  }
  return estimate_median(std::move(exponents));
}

Status measure_cost(const std::string& model, std::vector<BenchedEngine>& lanes,
                    const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const double rough_ns, cost_of(lanes, 1, 5, Way::kSkua));
  const auto calls = std::max<std::size_t>(static_cast<std::size_t>(1.0e7 / rough_ns), 1);
  std::array<Rounds, 2> costs;
  for (std::size_t round = 0; round < options.rounds && !cancel_requested(); ++round) {
    for (std::size_t i = 0; i < kLanes.size(); ++i) {
      for (const Way way :
           round % 2 == 0 ? std::array{Way::kSkua, Way::kRaw} : std::array{Way::kRaw, Way::kSkua}) {
        SKUA_ASSIGN_OR_RETURN(const double ns, cost_of(lanes, kLanes[i], calls, way));
        costs[static_cast<std::size_t>(way)][i].push_back(ns);
      }
    }
  }
  const Estimate ours = exponent_of(costs[0]), theirs = exponent_of(costs[1]);
  const bool is_reached = ours.upper <= kBar || ours.lower <= theirs.upper;
  figures.push_back({"lanes", model + ": CPU time of 1, 2, 4 lanes", "exponent", ours,
                     "linear: <= 1.05, or the raw SDK's",
                     is_reached ? Verdict::kReached : Verdict::kNotReached,
                     "one thread each, " + std::to_string(calls) + " calls a round"});
  figures.push_back({"lanes", model + ": the same, raw SDK", "exponent", theirs, "", Verdict::kNoBar, ""});
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    figures.push_back({"lanes", model + ": skua / raw, lanes: " + std::to_string(kLanes[i]), "ratio",
                       estimate_ratio(costs[0][i], costs[1][i]), "", Verdict::kNoBar, "thread CPU time"});
  }
  return {};
}

/// Makes all lanes, and says what each count of them took from the heap once all had run at the same time.
Status measure_memory(BenchSet& set, const std::string& model, std::vector<BenchedEngine>& lanes,
                      std::vector<Figure>& figures) {
  const double before = heap_bytes();
  std::vector<double> bytes;
  for (const std::size_t count : kLanes) {
    while (lanes.size() < count) {
      SKUA_ASSIGN_OR_RETURN(BenchedEngine lane, set.engine(model, "bench_" + std::to_string(lanes.size())));
      lanes.push_back(std::move(lane));
    }
    for (int i = 0; i < 3; ++i) SKUA_RETURN_IF_ERROR(cost_of(lanes, count, 3, Way::kSkua));
    bytes.push_back(heap_bytes() - before);
  }
  // The first lane's scratch was made when the set was loaded, and cannot be told from the engine's own
  // memory; from the second lane on, each must cost no more than the one before.
  const double second = bytes[1] - bytes[0], further = (bytes[2] - bytes[1]) / 2.0;
  const double ratio = further / second, mib = 1024.0 * 1024.0;
  figures.push_back({"lanes",
                     model + ": memory of the 3rd and 4th lane, each against the 2nd",
                     "ratio",
                     {ratio, ratio, ratio, 1, false},
                     "linear: <= 1.05",
                     ratio <= kBar ? Verdict::kReached : Verdict::kNotReached,
                     "heap, SDK included: " + number_text(second / mib) + " MiB, then " +
                         number_text(further / mib) + " MiB each, the inputs for infer() included"});
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  for (const std::string& model : chosen_models(set, options)) {
    std::vector<BenchedEngine> lanes;
    SKUA_RETURN_IF_ERROR(measure_memory(set, model, lanes, figures));
    if (lanes.front().raw == nullptr) {
      return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kModuleMissing, set.why_no_raw());
    }
    SKUA_RETURN_IF_ERROR(measure_cost(model, lanes, options, figures));
  }
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "What 1, 2 and 4 lanes cost", [](CLI::App&) {}, skua::bench::run);
}
