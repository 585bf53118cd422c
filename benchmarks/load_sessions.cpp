// What making engines resident costs beside the raw SDK: the time of one session, the peak memory of a whole
// set, and the time of the runtime object itself.
#include <algorithm>

#include "bench/experiment.h"
#include "cache/build_record.h"
#include "cache/engine_verify.h"
#include "inference/engine_folder.h"
#include "inference/module_loader.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"
#include "skua/runtime_factory.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

struct SessionOptions {
  std::string cache_dir, source_dir, child;
  std::size_t builds = 1000;
  std::size_t profiled = 0;       ///< sessions of each engine to make and do nothing else
  std::size_t memory_rounds = 6;  ///< the fewest that have bounds; the figure hardly varies
  bool is_memory_measured = false;
};

/// Remembers how long the steps of the last load took; that is all a load tells about itself.
class StepTimes final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    if (event.kind != "c7.engine_deserialized") return;
    for (const Event::Field& field : event.fields) {
      const auto* const ns = std::get_if<std::int64_t>(&field.value);
      if (ns == nullptr) continue;
      if (field.key == "verify_ns") verify_ns = static_cast<double>(*ns);
      if (field.key == "deserialize_ns") deserialize_ns = static_cast<double>(*ns);
      if (field.key == "golden_ns") golden_ns = static_cast<double>(*ns);
    }
  }
  double verify_ns = 0.0, deserialize_ns = 0.0, golden_ns = 0.0;
};

Result<std::vector<std::byte>> bytes_of(const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(file.parent_path()));
  SKUA_ASSIGN_OR_RETURN(const auto open, folder->open_read(file.filename().string()));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, open->info());
  std::vector<std::byte> bytes(info.size);
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::size_t got, open->read(bytes));
  return bytes;
}

double now_ns() { return static_cast<double>(system_clock().monotonic_ns()); }

/// The rounds of one engine: raw from its source and from the engine, Skua from the engine.
struct Rounds {
  std::vector<double> raw_source, raw_engine, verify, deserialize, golden;
};

class SessionBench {
 public:
  static Result<SessionBench> open(const ProgramOptions& program, const SessionOptions& options) {
    SessionBench bench;
    bench.options_ = options;
    SKUA_ASSIGN_OR_RETURN(bench.environment_, bench_environment(fs::absolute(program.set_dir)));
    bench.environment_.events = &*bench.times_;
    bench.environment_.config.engine_cache_dir = fs::absolute(options.cache_dir);
    SKUA_ASSIGN_OR_RETURN(bench.raw_, open_raw_module(bench.environment_.config.runtime));
    SKUA_ASSIGN_OR_RETURN(bench.runtime_, build_inference_runtime(bench.environment_));
    return bench;
  }

  Result<Rounds> measure(const EngineRecord& record, std::size_t rounds) {
    SKUA_ASSIGN_OR_RETURN(const std::vector<std::byte> source,
                          bytes_of(fs::path(options_.source_dir) / record.sources.front().name));
    Rounds result;
    for (std::size_t round = 0; round <= rounds; ++round) {  // the first one warms up
      SKUA_RETURN_IF_ERROR(check_not_cancelled());
      Rounds scratch;
      Rounds& into = round == 0 ? scratch : result;
      const bool is_raw_first = round % 2 == 0;
      if (is_raw_first) SKUA_RETURN_IF_ERROR(raw_round(record, source, into));
      SKUA_RETURN_IF_ERROR(skua_round(record, into));
      if (!is_raw_first) SKUA_RETURN_IF_ERROR(raw_round(record, source, into));
    }
    return result;
  }

  /// Through Skua alone, for a profiler to watch. One that emulates a smaller CPU than the graph was laid out
  /// for computes something else; the golden run refuses that session, which has been made by then.
  Status create(const EngineRecord& record, std::size_t count) {
    Rounds ignored;
    for (std::size_t i = 0; i < count; ++i) {
      const Status made = skua_round(record, ignored);
      if (!made.ok() && made.error().reason != Reason::kGoldenMismatch) return made;
    }
    return {};
  }

 private:
  Status raw_round(const EngineRecord& record, std::span<const std::byte> source, Rounds& into) {
    SKUA_RETURN_IF_ERROR(time_raw(record, source, RawOrigin::kSource, into.raw_source));
    SKUA_ASSIGN_OR_RETURN(const auto cache,
                          posix_file_system().open_folder(environment_.config.engine_cache_dir));
    BufferPool pool(0);
    EngineExpectation expected{record.file, record, record.precision, environment_.host, uses_gpu(record)};
    SKUA_ASSIGN_OR_RETURN(const VerifiedEngine engine, EngineGate::admit(*cache, expected, pool));
    return time_raw(record, engine.bytes(), RawOrigin::kEngine, into.raw_engine);
  }
  Status time_raw(const EngineRecord& record, std::span<const std::byte> bytes, RawOrigin origin,
                  std::vector<double>& into) {
    const double start = now_ns();
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto session,
                          raw_->open(environment_.config, record, bytes, origin));
    into.push_back(now_ns() - start);
    return {};
  }
  Status skua_round(const EngineRecord& record, Rounds& into) {
    SKUA_ASSIGN_OR_RETURN(EngineHandle handle, runtime_->deserialize_engine(
                                                   to_entry(record, environment_.config.engine_cache_dir)));
    runtime_->release_engine(handle);
    into.verify.push_back(times_->verify_ns);
    into.deserialize.push_back(times_->deserialize_ns);
    into.golden.push_back(times_->golden_ns);
    return {};
  }

  SessionOptions options_;
  std::unique_ptr<StepTimes> times_ = std::make_unique<StepTimes>();
  RuntimeEnvironment environment_;
  const RawModule* raw_ = nullptr;
  std::unique_ptr<InferenceRuntime> runtime_;
};

Estimate in_ms(const std::vector<double>& ns) { return scaled(estimate_median(ns), 1e-6); }

Status session_figures(const ProgramOptions& program, const SessionOptions& options,
                       std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(SessionBench bench, SessionBench::open(program, options));
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(fs::absolute(program.set_dir)));
  for (const ManifestArtifact& artifact : set.manifest.artifacts) {
    const auto& wanted = program.models;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), artifact.name) == wanted.end()) continue;
    if (options.profiled > 0) {
      SKUA_RETURN_IF_ERROR(bench.create(artifact.engine, options.profiled));
      continue;
    }
    SKUA_ASSIGN_OR_RETURN(const Rounds rounds, bench.measure(artifact.engine, program.rounds));
    const std::string model = artifact.name + ": ";
    figures.push_back(figure_of("session", model + "session from verified bytes / raw from the source model",
                                "ratio", estimate_ratio(rounds.deserialize, rounds.raw_source), 0.5,
                                "1 thread"));
    figures.back().sides = {side_of("session from verified bytes", rounds.deserialize),
                            side_of("raw from the source model", rounds.raw_source)};
    figures.push_back(figure_of("session", model + "session from verified bytes / raw from the same bytes",
                                "ratio", estimate_ratio(rounds.deserialize, rounds.raw_engine),
                                "what is Skua's own; the rest is the SDK opening its optimised graph"));
    figures.back().sides = {side_of("session from verified bytes", rounds.deserialize),
                            side_of("raw from the same bytes", rounds.raw_engine)};
    figures.push_back(figure_of("session", model + "raw session from the source model", "ms",
                                in_ms(rounds.raw_source), ""));
    figures.push_back(
        figure_of("session", model + "session from verified bytes", "ms", in_ms(rounds.deserialize), ""));
    figures.push_back(figure_of("session", model + "reading and hashing", "ms", in_ms(rounds.verify), ""));
    figures.push_back(figure_of("session", model + "golden run", "ms", in_ms(rounds.golden), ""));
  }
  return {};
}

/// Everything resident, through Skua or through the raw SDK from one buffer after the other; prints the peak.
Status load_as_child(const std::string& kind, const fs::path& set_dir) {
  std::unique_ptr<InferenceRuntime> runtime;
  std::vector<std::unique_ptr<RawSession>> sessions;
  if (kind == "skua") {
    SKUA_ASSIGN_OR_RETURN(RuntimeEnvironment environment, bench_environment(set_dir));
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const EngineSet set,
                          load_whole(set_dir, std::move(environment), runtime));
    SKUA_ASSIGN_OR_RETURN(const double peak, peak_memory_mib());
    std::printf("%.3f\n", peak);
    return {};
  }
  SKUA_ASSIGN_OR_RETURN(const RuntimeEnvironment environment, bench_environment(set_dir));
  SKUA_ASSIGN_OR_RETURN(const RawModule* const raw, open_raw_module(environment.config.runtime));
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  for (const ManifestArtifact& artifact : set.manifest.artifacts) {
    SKUA_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, bytes_of(set_dir / artifact.engine.file));
    SKUA_ASSIGN_OR_RETURN(auto session,
                          raw->open(environment.config, artifact.engine, bytes, RawOrigin::kEngine));
    sessions.push_back(std::move(session));
  }
  SKUA_ASSIGN_OR_RETURN(const double peak, peak_memory_mib());
  std::printf("%.3f\n", peak);
  return {};
}

Result<double> peak_of_child(const std::string& kind, const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const std::string text,
                        run_process({fs::read_symlink("/proc/self/exe").string(), "--child", kind,
                                     set_dir.string(), trusted_key_file()}));
  return std::stod(text);
}

Status memory_figures(const fs::path& set_dir, const SessionOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  double largest = 0.0;
  for (const ManifestArtifact& artifact : set.manifest.artifacts) {
    largest = std::max(largest, static_cast<double>(artifact.engine.size_bytes) / (1U << 20U));
  }
  std::vector<double> skua, raw, added;
  for (std::size_t round = 0; round < options.memory_rounds; ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    SKUA_ASSIGN_OR_RETURN(const double of_skua, peak_of_child("skua", set_dir));
    SKUA_ASSIGN_OR_RETURN(const double of_raw, peak_of_child("raw", set_dir));
    skua.push_back(of_skua), raw.push_back(of_raw), added.push_back(of_skua - of_raw);
  }
  const std::string note = std::to_string(set.manifest.artifacts.size()) + " engines; VmHWM of a process";
  figures.push_back(figure_of("memory", "peak of loading the set", "MiB", estimate_median(skua), note));
  figures.push_back(
      figure_of("memory", "peak of raw sessions from buffers", "MiB", estimate_median(raw), note));
  Figure figure = figure_of("memory", "peak of loading the set - peak of raw sessions", "MiB",
                            estimate_median(added), largest + 64.0, note);
  figure.asked += " (largest engine + 64 MiB)";
  figures.push_back(std::move(figure));
  return {};
}

Status runtime_figures(const fs::path& set_dir, const SessionOptions& options, std::vector<Figure>& figures) {
  SKUA_ASSIGN_OR_RETURN(const RuntimeEnvironment environment, bench_environment(set_dir));
  std::vector<double> calls_ns;
  for (std::size_t i = 0; i < options.builds; ++i) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    const double start = now_ns();
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto runtime, build_inference_runtime(environment));
    calls_ns.push_back(now_ns() - start);
  }
  const double longest_ns = *std::max_element(calls_ns.begin(), calls_ns.end());
  figures.push_back(figure_of("session", "building the runtime object, p99", "ms",
                              scaled(estimate_percentile(calls_ns, 99), 1e-6), 200.0,
                              "p50 " + number_text(in_ms(calls_ns).median) + " ms, first " +
                                  number_text(calls_ns.front() * 1e-6) + " ms, max " +
                                  number_text(longest_ns * 1e-6) + " ms; all in one process"));
  return {};
}

Status run(const ProgramOptions& program, const SessionOptions& options, std::vector<Figure>& figures) {
  const fs::path set_dir = fs::absolute(program.set_dir);
  if (options.builds > 0) SKUA_RETURN_IF_ERROR(runtime_figures(set_dir, options, figures));
  if (options.is_memory_measured) SKUA_RETURN_IF_ERROR(memory_figures(set_dir, options, figures));
  if (options.cache_dir.empty()) return {};
  return session_figures(program, options, figures);
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  // A child measures itself and leaves no report.
  if (argc == 5 && std::string(argv[1]) == "--child") {
    skua::bench::trust_key(argv[4]);
    const skua::Status done = skua::bench::load_as_child(argv[2], argv[3]);
    if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().describe().c_str());
    return done.ok() ? 0 : 1;
  }
  auto options = skua::bench::SessionOptions();
  return skua::bench::run_program(
      argc, argv, "What making engines resident costs beside the raw SDK",
      [&](CLI::App& app) {
        app.add_option("--cache", options.cache_dir,
                       "the engine cache of the set; without it no session is timed");
        app.add_option("--sources", options.source_dir, "the folder of the source models");
        app.add_option("--builds", options.builds, "how often the runtime object is built; 0: not at all");
        app.add_option("--profile", options.profiled,
                       "make so many sessions of each engine and measure nothing: for a profiler");
        app.add_flag("--memory", options.is_memory_measured,
                     "measure the peak memory of loading the whole set");
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
