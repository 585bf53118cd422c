// What `skua verify --trust` takes as a whole process, beside the tools that people hash and verify with, on
// the same files: sha256sum, openssl dgst and model_signing; and what of the last is its start.
#include <algorithm>
#include <filesystem>

#include "cache/set_files.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

struct ToolOptions {
  std::string skua, python, sha256sum = "/usr/bin/sha256sum", openssl = "/usr/bin/openssl";
};

using Command = std::vector<std::string>;

constexpr const char* kAllCores = "skua verify --trust";
constexpr const char* kOneWorker = "skua verify --trust, 1 worker";
constexpr const char* kSigning = "model_signing verify";
constexpr const char* kSigningStart = "model_signing --help";  // the same imports, and no work

Status run_quietly(const Command& command) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::string text, run_process(command));
  return {};
}

Command verify_command(const ToolOptions& options, const std::string& folder, const Command& more) {
  Command command = {options.skua,
                     "verify",
                     folder,
                     "--trust",
                     trusted_key_file(),
                     "--set",
                     "flight_set_limit_bytes=1099511627776"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

/// A program that prints the digest of every file that it is given, and the line that one file has there.
struct HashTool {
  std::string name;
  Command command;
  std::string mark;  ///< between digest and file
};

std::vector<HashTool> hash_tools(const ToolOptions& options, const fs::path& folder,
                                 const std::vector<ManifestFile>& files) {
  std::vector<HashTool> tools = {{"sha256sum", {options.sha256sum, "--"}, "  "},
                                 {"openssl dgst -sha256", {options.openssl, "dgst", "-sha256", "-r"}, " *"}};
  for (HashTool& tool : tools) {
    for (const ManifestFile& file : files) tool.command.push_back((folder / file.name).string());
  }
  return tools;
}

/// That the tool does the same work: its digests are those that the manifest names.
Status check_same(const HashTool& tool, const fs::path& folder, const std::vector<ManifestFile>& files) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, run_process(tool.command));
  std::string expected;
  for (const ManifestFile& file : files) {
    expected += file.sha256.hex() + tool.mark + (folder / file.name).string() + "\n";
  }
  if (text == expected) return {};
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    tool.name +
                        " prints other digests than the set's manifest has: it does other work, and is "
                        "no reference; look at " +
                        tool.command.front());
}

Command signing_command(const ToolOptions& options, const std::string& folder) {
  return {options.python,
          "-m",
          "model_signing",
          "verify",
          "key",
          folder,
          "--signature",
          folder + "/model.sig",
          "--public_key",
          trusted_key_file(),
          "--no-ignore-git-paths"};
}

Result<std::vector<Subject>> subjects_of(const ToolOptions& options, const AdmittedSet& set,
                                         const fs::path& set_dir) {
  const std::string folder = set_dir.string();
  const auto process = [](std::string name, Command command) {
    return Subject{std::move(name), [command = std::move(command)] { return run_quietly(command); }, {}};
  };
  std::vector<Subject> subjects = {process(kAllCores, verify_command(options, folder, {})),
                                   process(kOneWorker, verify_command(options, folder, {"--workers", "1"}))};
  for (HashTool& tool : hash_tools(options, set_dir, set.manifest.files)) {
    SKUA_RETURN_IF_ERROR(check_same(tool, set_dir, set.manifest.files));
    subjects.push_back(process(tool.name, std::move(tool.command)));
  }
  subjects.push_back(process(kSigning, signing_command(options, folder)));
  subjects.push_back(process(kSigningStart, {options.python, "-m", "model_signing", "--help"}));
  return subjects;
}

/// Rates turn the bounds round.
Estimate rate_of(const Estimate& ns, double gigabytes) {
  const auto rate = [&](double time_ns) { return gigabytes / (time_ns * 1e-9); };
  return {rate(ns.median), rate(ns.upper), rate(ns.lower), ns.count, ns.is_bounded};
}

Figure beside(const SubjectTimes& subject, const SubjectTimes& reference, const std::string& note) {
  Figure figure = figure_of("tools", subject.name + " / " + reference.name, "ratio",
                            compare(subject, reference).ratio, note);
  figure.sides = sides_of(subject, reference);
  return figure;
}

/// The start alone comes last: it is no rate, and a part of the tool before it.
void add_figures(const std::vector<SubjectTimes>& times, double gigabytes, const std::string& note,
                 std::vector<Figure>& figures) {
  const std::size_t start = times.size() - 1, signing = times.size() - 2;
  figures.push_back(
      figure_of("tools", "size of the set", "GB", {gigabytes, gigabytes, gigabytes, 1, false}, note));
  for (std::size_t i = 0; i < start; ++i) {
    figures.push_back(figure_of("tools", times[i].name, "GB/s",
                                rate_of(estimate_median(times[i].round_ns), gigabytes), note));
  }
  for (std::size_t ours = 0; ours < 2; ++ours) {
    for (std::size_t tool = 2; tool < start; ++tool)
      figures.push_back(beside(times[ours], times[tool], note));
  }
  figures.push_back(beside(times[start], times[signing], note));
}

Status run(const ProgramOptions& program, const ToolOptions& options, std::vector<Figure>& figures) {
  const fs::path set_dir = fs::absolute(program.set_dir);
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet set, admit(set_dir));
  if (set.is_unsigned) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kUnsignedSet,
                      set_dir.string() + " is not signed; give a signed set and its key by --trust");
  }
  SKUA_ASSIGN_OR_RETURN(const std::vector<Subject> subjects, subjects_of(options, set, set_dir));
  SKUA_ASSIGN_OR_RETURN(const std::vector<SubjectTimes> times, run_interleaved(subjects, plan_of(program)));
  const double gigabytes = static_cast<double>(total_bytes(set.manifest.files)) * 1e-9;
  add_figures(times, gigabytes,
              "whole processes, " + number_text(gigabytes) + " GB in " +
                  std::to_string(set.manifest.files.size()) + " files, warm page cache; only skua and " +
                  "model_signing check a signature; sha256sum and openssl use one core, " +
                  "model_signing a pool of threads",
              figures);
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  skua::bench::ToolOptions options;
  return skua::bench::run_program(
      argc, argv, "What the signed gate takes beside the tools that hash and verify",
      [&](CLI::App& app) {
        app.add_option("--skua", options.skua, "the ground tool to measure")->required();
        app.add_option("--python", options.python, "an interpreter that has model_signing")->required();
        app.add_option("--sha256sum", options.sha256sum, "the tool to measure beside it");
        app.add_option("--openssl", options.openssl, "likewise");
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
