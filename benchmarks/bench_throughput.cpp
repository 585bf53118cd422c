// How many runs a second 1, 2 and 4 lanes make together, and how long the slowest of them take: on a quiet
// machine and beside a thread that keeps one core busy, Skua and the raw SDK side by side.
#include <array>
#include <barrier>
#include <random>
#include <thread>

#include "busy_core.h"
#include "core/parallel.h"
#include "load_sets.h"
#include "program.h"
#include "skua/ports.h"

namespace skua::bench {
namespace {

constexpr std::array<std::size_t, 3> kLanes = {1, 2, 4};
constexpr std::size_t kMostLanes = kLanes.back();
constexpr std::size_t kTail = 99;

double g_slice_seconds = 0.15;  // filled by the options

enum class Way : std::uint8_t { kSkua, kRaw };

/// What one way did on so many lanes, quiet or not; one value per round, and every run's time.
struct Cell {
  std::size_t lanes = 1;
  bool is_busy = false;
  Way way = Way::kSkua;
  std::vector<double> seconds_per_run, tail_ns;
  std::vector<std::int64_t> runs_ns;
};

/// One lane's part of a slice.
struct Turn {
  std::vector<std::int64_t> runs_ns;
  std::int64_t took_ns = 0;
  Status ended;
};

Status run_once(BenchedEngine& engine, Way way) {
  return way == Way::kSkua ? engine.bound->run() : engine.raw->run(0);
}

/// Runs until the slice is over. A run that has begun is finished and counted, with the time it took.
void take_turn(BenchedEngine& engine, Way way, std::barrier<>& start, Turn& turn) {
  start.arrive_and_wait();  // no lane runs alone while others are still being started
  const std::int64_t start_ns = system_clock().monotonic_ns();
  const auto slice_ns = static_cast<std::int64_t>(g_slice_seconds * 1e9);
  std::int64_t before_ns = start_ns;
  while (turn.ended.ok() && turn.took_ns < slice_ns) {
    turn.ended = run_once(engine, way);
    const std::int64_t now_ns = system_clock().monotonic_ns();
    turn.runs_ns.push_back(now_ns - before_ns);
    turn.took_ns = now_ns - start_ns;
    before_ns = now_ns;
  }
}

Status take_in(const std::vector<Turn>& turns, Cell& cell) {
  double runs_per_second = 0.0;
  std::vector<double> of_round;
  for (const Turn& turn : turns) {
    SKUA_RETURN_IF_ERROR(turn.ended);
    runs_per_second += static_cast<double>(turn.runs_ns.size()) / (static_cast<double>(turn.took_ns) * 1e-9);
    cell.runs_ns.insert(cell.runs_ns.end(), turn.runs_ns.begin(), turn.runs_ns.end());
    of_round.insert(of_round.end(), turn.runs_ns.begin(), turn.runs_ns.end());
  }
  cell.seconds_per_run.push_back(1.0 / runs_per_second);
  cell.tail_ns.push_back(estimate_percentile(of_round, kTail).median);
  return {};
}

/// One slice of one cell.
Status measure_slice(std::vector<BenchedEngine>& lanes, Cell& cell) {
  std::optional<BusyCore> neighbour;
  if (cell.is_busy) neighbour.emplace();
  std::barrier<> start(static_cast<std::ptrdiff_t>(cell.lanes));
  std::vector<Turn> turns(cell.lanes);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < cell.lanes; ++i) {
    threads.emplace_back(
        [&lanes, &cell, &start, &turns, i] { take_turn(lanes[i], cell.way, start, turns[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  return take_in(turns, cell);
}

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const bool is_busy : {false, true}) {
    for (const std::size_t lanes : kLanes) {
      for (const Way way : {Way::kSkua, Way::kRaw}) cells.push_back({lanes, is_busy, way, {}, {}, {}});
    }
  }
  return cells;
}

/// Every cell once in a round, in an order drawn anew.
Status measure_rounds(std::vector<BenchedEngine>& lanes, const ProgramOptions& options,
                      std::vector<Cell>& cells) {
  std::vector<std::size_t> order(cells.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64 random(1);
  const std::int64_t start_ns = system_clock().monotonic_ns();
  const auto is_over = [&](std::size_t rounds) {
    const double spent = static_cast<double>(system_clock().monotonic_ns() - start_ns) * 1e-9;
    return options.budget_seconds > 0.0 && rounds >= kFewestRounds && spent >= options.budget_seconds;
  };
  for (std::size_t round = 0; round < options.rounds && !is_over(round); ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    for (const std::size_t i : order) SKUA_RETURN_IF_ERROR(measure_slice(lanes, cells[i]));
  }
  return {};
}

std::string situation(const Cell& cell) {
  return std::to_string(cell.lanes) + (cell.lanes == 1 ? " lane" : " lanes") +
         (cell.is_busy ? ", one core busy" : ", quiet");
}

Figure rate_figure(const std::string& name, const Cell& cell, const std::string& note) {
  const Estimate seconds = estimate_median(cell.seconds_per_run);
  return figure_of(
      "throughput", name, "runs/s",
      {1.0 / seconds.median, 1.0 / seconds.upper, 1.0 / seconds.lower, seconds.count, seconds.is_bounded},
      note);
}

Figure tail_figure(const std::string& name, const Cell& cell, const std::string& note) {
  const std::vector<double> all(cell.runs_ns.begin(), cell.runs_ns.end());
  return figure_of("throughput", name, "us", scaled(estimate_percentile(all, kTail), 1e-3), note);
}

/// Of a pair of cells that differ in the way alone.
void add_figures(const std::string& model, const Cell& skua, const Cell& raw, const std::string& note,
                 std::vector<Figure>& figures) {
  const std::string name = model + ": " + situation(skua);
  const Sides sides{{"skua bound run", percentiles_of(skua.runs_ns)},
                    {"raw SDK", percentiles_of(raw.runs_ns)}};
  figures.push_back(rate_figure(name + ", skua", skua, note));
  figures.push_back(rate_figure(name + ", raw", raw, note));
  figures.push_back(tail_figure(name + ", skua, p99 of all runs", skua, note));
  figures.push_back(tail_figure(name + ", raw, p99 of all runs", raw, note));
  figures.push_back(figure_of("throughput", name + ", time per run of all lanes, skua / raw", "ratio",
                              estimate_ratio(skua.seconds_per_run, raw.seconds_per_run), note));
  figures.back().sides = sides;
  figures.push_back(figure_of("throughput", name + ", p99 of a round, skua / raw", "ratio",
                              estimate_ratio(skua.tail_ns, raw.tail_ns), note));
  figures.back().sides = sides;
}

Status measure(BenchSet& set, const std::string& model, const ProgramOptions& options,
               std::vector<Figure>& figures) {
  std::vector<BenchedEngine> lanes;
  for (std::size_t i = 0; i < kMostLanes; ++i) {
    SKUA_ASSIGN_OR_RETURN(BenchedEngine lane, set.engine(model, "bench_" + std::to_string(i)));
    if (lane.raw == nullptr) {
      return make_error(ErrorCode::kRuntimeNotAvailable, Reason::kModuleMissing, set.why_no_raw());
    }
    SKUA_RETURN_IF_ERROR(check_same_results(lane));
    lanes.push_back(std::move(lane));
  }
  std::vector<Cell> warm_up = all_cells(), cells = all_cells();
  for (Cell& cell : warm_up) SKUA_RETURN_IF_ERROR(measure_slice(lanes, cell));
  SKUA_RETURN_IF_ERROR(measure_rounds(lanes, options, cells));
  const EngineInfo& info = lanes.front().info;
  const std::string note =
      info.runtime_label + " " + info.sdk_version + ", " + info.arithmetic +
      ", one thread a lane, wall clock, usable cores: " + std::to_string(usable_cores()) + ", slices of " +
      number_text(g_slice_seconds) + " s";
  for (std::size_t i = 0; i < cells.size(); i += 2) {
    add_figures(shown_name(info), cells[i], cells[i + 1], note, figures);
  }
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
  for (const std::string& model : chosen_models(set, options))
    SKUA_RETURN_IF_ERROR(measure(set, model, options, figures));
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(
      argc, argv, "How many runs a second 1, 2 and 4 lanes make, and their slowest",
      [](CLI::App& app) {
        app.add_option("--slice", skua::bench::g_slice_seconds, "seconds of each way in a round")
            ->check(CLI::Range(0.001, 10.0));
      },
      skua::bench::run);
}
