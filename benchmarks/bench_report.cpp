// Joins the reports of several programs into one: the machine of the first, the figures of all, in order.
#include <iostream>

#include "core/filesystem.h"
#include "core/json_strict.h"
#include "program.h"

namespace skua::bench {
namespace {

std::vector<std::string> g_parts;   // filled by the options
std::vector<std::string> g_extras;  // KEY=VALUE for the machine

Result<Report> read_report(const std::filesystem::path& file) {
  constexpr std::size_t kLimit = std::size_t{16} << 20U;
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(file.parent_path()));
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_text(*folder, file.filename().string(), kLimit));
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, {kLimit, 12}));
  return report_from_json(json);
}

Json machine_of(const Report& first) {
  Json machine = first.machine;
  for (const std::string& extra : g_extras) {
    const std::size_t equals = extra.find('=');
    machine[extra.substr(0, equals)] = equals == std::string::npos ? "" : extra.substr(equals + 1);
  }
  return machine;
}

Status join(const std::string& out) {
  Report joined;
  for (const std::string& part : g_parts) {
    SKUA_ASSIGN_OR_RETURN(Report report, read_report(std::filesystem::absolute(part)));
    if (joined.machine.is_null()) joined.machine = machine_of(report);
    for (Figure& figure : report.figures) joined.figures.push_back(std::move(figure));
  }
  SKUA_RETURN_IF_ERROR(write_report(joined, out));
  std::cout << to_markdown(joined);
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  using namespace skua::bench;  // NOLINT(google-build-using-namespace)
  std::string out;
  CLI::App app("Joins benchmark reports and prints the table");
  app.add_option("--out", out, "stem of the joined report")->required();
  app.add_option("--machine", g_extras, "KEY=VALUE, said of the machine; may be repeated")
      ->allow_extra_args(false);  // else it takes the parts that follow it
  app.add_option("PART", g_parts, "report of a program, as .json")->required();
  try {
    app.parse(argc, argv);
    const skua::Status joined = join(out);
    if (joined.ok()) return 0;
    std::cerr << "benchmark: error: " << joined.error().describe() << '\n';
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "benchmark: error: " << error.what() << '\n';
  }
  return 1;
}
