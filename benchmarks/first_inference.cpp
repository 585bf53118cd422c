// From the start of a process to its first result: `skua run` on a flight set, with both gates, golden run
// and warm-up, against a program of thirty lines over the bare SDK that warms up as often.
#include <filesystem>
#include <fstream>

#include "bench/bench_set.h"
#include "bench/call_figures.h"
#include "load_process.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

std::string g_skua, g_raw_program, g_work_dir;

struct Job {
  std::string model;
  std::vector<std::string> skua, raw_warmed, raw_cold;
};

Status write_bytes(const fs::path& file, const std::string& head, const TensorView& view) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << head;
  stream.write(static_cast<const char*>(view.data), static_cast<std::streamsize>(view.size_bytes()));
  if (stream.flush()) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kIo, "cannot write " + file.string());
}

/// The header of a .npy file (version 1.0), padded to 64 bytes.
std::string npy_header(const TensorView& view) {
  std::string shape;
  for (const std::int64_t dim : view.shape.dims()) shape += std::to_string(dim) + ", ";
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  text.append((64 - (text.size() + 11) % 64) % 64, ' ');
  text += '\n';
  const auto size = static_cast<std::uint16_t>(text.size());
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(size & 0xFFU) +
         static_cast<char>(size >> 8U) + text;
}

/// The first input of the golden vectors, for both programs.
Result<Job> job_of(BenchSet& set, const std::string& model, const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(const BenchedEngine engine, set.engine(model));
  const TensorSpec& spec = engine.info.inputs.front();
  const TensorView& view = engine.inputs.find(spec.name)->view();
  const fs::path folder(g_work_dir);
  const fs::path npy = folder / (model + ".npy"), raw_input = folder / (model + ".raw");
  SKUA_RETURN_IF_ERROR(write_bytes(npy, npy_header(view), view));
  SKUA_RETURN_IF_ERROR(write_bytes(raw_input, "", view));
  const std::string graph = engine.record->options.at("graph");
  const auto raw = [&](const char* warm_ups) {
    return std::vector<std::string>{g_raw_program,         (set_dir / engine.record->file).string(),
                                    raw_input.string(),    view.shape.to_string(),
                                    std::string(warm_ups), graph};
  };
  return Job{model,
             {g_skua, "run", set_dir.string(), model, "--input", spec.name + "=" + npy.string(),
              "--output-dir", (folder / "outputs").string(), "--trust", trusted_key_file()},
             raw("3"),
             raw("0")};
}

Subject process_subject(const std::string& name, const std::vector<std::string>& command) {
  return {name,
          [command]() -> Status {
            SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::string output, run_process(command));
            return {};
          },
          nullptr};
}

Status measure(const Job& job, const ProgramOptions& options, std::vector<Figure>& figures) {
  const std::vector<Subject> subjects = {process_subject("skua run", job.skua),
                                         process_subject("raw libtorch, 3 warm-up runs", job.raw_warmed),
                                         process_subject("raw libtorch, no warm-up", job.raw_cold)};
  const ExperimentPlan plan = plan_of(options);
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved(subjects, plan));
  for (std::size_t i = 1; i < times.size(); ++i) {
    const Estimate ratio = compare(times[0], times[i]).ratio;
    const bool has_bar = i == 1;
    const bool is_reached = ratio.is_bounded && ratio.upper <= 1.10;
    figures.push_back({"first result", job.model + ": start to first result, skua run / " + times[i].name,
                       "ratio", ratio, has_bar ? "<= 1.1" : "",
                       has_bar ? (is_reached ? Verdict::kReached : Verdict::kNotReached) : Verdict::kNoBar,
                       "whole processes, wall clock; skua run verifies, hashes, proves and warms up"});
    figures.back().sides = sides_of(times[0], times[i]);
  }
  return {};
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  std::vector<Job> jobs;
  {
    SKUA_ASSIGN_OR_RETURN(BenchSet set, open_bench_set(options));
    for (const std::string& model : chosen_models(set, options)) {
      SKUA_ASSIGN_OR_RETURN(jobs.emplace_back(), job_of(set, model, options.set_dir));
    }
  }
  for (const Job& job : jobs) SKUA_RETURN_IF_ERROR(measure(job, options, figures));
  return {};
}

void add_options(CLI::App& app) {
  app.add_option("--skua", g_skua, "the ground tool")->required();
  app.add_option("--raw-program", g_raw_program, "raw_first_inference")->required();
  app.add_option("--work-dir", g_work_dir, "an existing folder to write inputs and outputs to")->required();
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  return skua::bench::run_program(argc, argv, "What the first result of a process costs beside the raw SDK",
                                  skua::bench::add_options, skua::bench::run);
}
