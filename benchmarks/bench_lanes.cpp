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
// An exponent of 1 is linear. Lanes share caches, which is not ours to save: where that makes the raw SDK
// grow faster, Skua may do so by as much as it may beyond linear.
constexpr double kAllowance = 0.05;
constexpr double kBar = 1.0 + kAllowance;
constexpr double kLeastBytes = 64.0 * 1024.0;
constexpr std::size_t kMemoryRounds = 6;  // the fewest that have bounds; the figure hardly varies

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

std::vector<double> exponents_of(const Rounds& costs) {
  const std::vector<double> sizes(kLanes.begin(), kLanes.end());
  return exponents_by_round(sizes, costs);
}

/// Linear, or shown to grow no faster than the raw SDK. Without bounds nothing is shown.
Verdict verdict_of(const Estimate& ours, const Estimate& beyond_raw) {
  const auto is_at_most = [](const Estimate& value, double bar) {
    return value.is_bounded && value.upper <= bar;
  };
  const bool is_reached = is_at_most(ours, kBar) || is_at_most(beyond_raw, kAllowance);
  return is_reached ? Verdict::kReached : Verdict::kNotReached;
}

void add_cost_figures(const std::string& model, const std::array<Rounds, 2>& costs, const std::string& note,
                      std::vector<Figure>& figures) {
  const std::vector<double> ours = exponents_of(costs[0]), theirs = exponents_of(costs[1]);
  const Estimate growth = estimate_median(ours), beyond_raw = estimate_difference(ours, theirs);
  figures.push_back({"lanes", model + ": CPU time of 1, 2, 4 lanes", "exponent", growth,
                     "<= 1.05 (linear), or <= 0.05 beyond the raw SDK's", verdict_of(growth, beyond_raw),
                     note});
  figures.push_back(
      {"lanes", model + ": the same, raw SDK", "exponent", estimate_median(theirs), "", Verdict::kNoBar, ""});
  figures.push_back({"lanes", model + ": the same, Skua - raw SDK within a round", "exponent", beyond_raw, "",
                     Verdict::kNoBar, ""});
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    figures.push_back({"lanes", model + ": skua / raw, lanes: " + std::to_string(kLanes[i]), "ratio",
                       estimate_ratio(costs[0][i], costs[1][i]), "", Verdict::kNoBar, "thread CPU time"});
  }
}

Status measure_cost(const std::string& model, std::vector<BenchedEngine>& lanes,
                    const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const double rough_ns, cost_of(lanes, 1, 5, Way::kSkua));
  const auto calls = std::max<std::size_t>(static_cast<std::size_t>(1.0e7 / rough_ns), 1);
  std::array<Rounds, 2> costs;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    for (std::size_t i = 0; i < kLanes.size(); ++i) {
      for (const Way way :
           round % 2 == 0 ? std::array{Way::kSkua, Way::kRaw} : std::array{Way::kRaw, Way::kSkua}) {
        SKUA_ASSIGN_OR_RETURN(const double ns, cost_of(lanes, kLanes[i], calls, way));
        costs[static_cast<std::size_t>(way)][i].push_back(ns);
      }
    }
  }
  const EngineInfo& info = lanes.front().info;
  add_cost_figures(model, costs,
                   info.runtime_label + " " + info.sdk_version + ", one thread each, " +
                       std::to_string(calls) + " calls a round",
                   figures);
  return {};
}

/// Heap that one lane took once all had run at the same time: the second, and each of the third and fourth.
struct LaneBytes {
  std::vector<double> second, further;  // one value per round
};

/// Makes all lanes of one engine, and notes what each count of them took.
Status make_lanes(BenchSet& set, const std::string& model, std::vector<BenchedEngine>& lanes,
                  LaneBytes& into) {
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
  into.second.push_back(bytes[1] - bytes[0]);
  into.further.push_back((bytes[2] - bytes[1]) / 2.0);
  return {};
}

/// Held by the difference and not by a ratio: a lane of some KiB varies by what the allocator rounds up.
Figure memory_figure(const std::string& model, const LaneBytes& bytes) {
  constexpr double kMib = 1024.0 * 1024.0;
  const double second = estimate_median(bytes.second).median;
  const Estimate added = estimate_difference(bytes.further, bytes.second);
  const bool is_reached = added.is_bounded && added.upper <= std::max(kAllowance * second, kLeastBytes);
  return {"lanes",
          model + ": memory of the 3rd and 4th lane, each, - that of the 2nd",
          "MiB",
          scaled(added, 1.0 / kMib),
          "<= max(5 %, 64 KiB) (linear)",
          is_reached ? Verdict::kReached : Verdict::kNotReached,
          "heap, SDK included: " + number_text(second / kMib) + " MiB, then " +
              number_text(estimate_median(bytes.further).median / kMib) +
              " MiB each, the inputs for infer() included; the set was opened anew each time"};
}

Status measure(const std::string& model, const ProgramOptions& options, std::vector<Figure>& figures) {
  LaneBytes bytes;
  for (std::size_t round = 0; round < kMemoryRounds; ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
    std::vector<BenchedEngine> lanes;
    SKUA_RETURN_IF_ERROR(make_lanes(set, model, lanes, bytes));
    if (lanes.front().raw == nullptr) {
      return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kModuleMissing, set.why_no_raw());
    }
    if (round + 1 < kMemoryRounds) continue;
    figures.push_back(memory_figure(model, bytes));
    SKUA_RETURN_IF_ERROR(measure_cost(model, lanes, options, figures));
  }
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  std::vector<std::string> models;
  {
    SKUA_ASSIGN_OR_RETURN(const BenchSet set, open_bench_set(options));
    models = chosen_models(set, options);
  }
  for (const std::string& model : models) SKUA_RETURN_IF_ERROR(measure(model, options, figures));
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "What 1, 2 and 4 lanes cost", [](CLI::App&) {}, skua::bench::run);
}
