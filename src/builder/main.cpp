// skua-build: the build executable. Compiles one model into a staging folder and ends; it is started by
// compile_model, never by hand. Usage: skua-build REQUEST.json RESPONSE.json PARENT_PID. Progress lines go to
// stdout, SDK noise to stderr (the log). Exit status 0 whenever a response was written, also one that holds
// an error.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "core/filesystem.h"
#include "core/process_memory.h"
#include "core/standard_streams.h"
#include "inference/compile_job.h"
#include "inference/compile_process.h"
#include "inference/module_open.h"

namespace skua {
namespace {

class StdoutProgress final : public CompileProgress {
 public:
  void step(std::string_view text) override {
    std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
    std::fflush(stdout);
  }
};

/// No core dumps (an engine is a secret and large), and death with the parent: an orphan would write into a
/// staging folder that somebody else cleans.
bool confine(pid_t parent) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

Result<std::string> read_file(const std::filesystem::path& path) {
  constexpr std::size_t kLimit = 8U << 20U;
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(path.parent_path()));
  return read_text(*folder, path.filename().string(), kLimit);
}

Status write_file(const std::filesystem::path& path, const std::string& text) {
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(path.parent_path()));
  SKUA_ASSIGN_OR_RETURN(auto file, folder->create(path.filename().string()));
  return file->write(std::as_bytes(std::span(text)));
}

Result<EngineRecord> compile(const std::filesystem::path& request_path) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(request_path));
  SKUA_ASSIGN_OR_RETURN(const CompileRequest request, decode_request(text));
  const std::string& label = request.runtime_label;
  auto module = open_module<CompilerModule, CompilerModuleFunction>(
      module_file(library_folder(), "compiler", label), label, kCompilerModuleSymbol);
  if (!module.ok()) {
    return make_error(ErrorCode::kEngineBuild, Reason::kBuilderMissing, module.error().message);
  }
  StdoutProgress progress;
  return (*module)->compile(request, progress);
}

int run(int argc, char** argv) {
  constexpr int kUsage = 2;
  if (argc != 4) {
    std::fputs("usage: skua-build REQUEST.json RESPONSE.json PARENT_PID (started by skua, not by hand)\n",
               stderr);
    return kUsage;
  }
  if (!confine(static_cast<pid_t>(std::strtol(argv[3], nullptr, 10)))) return EXIT_FAILURE;
  const Result<EngineRecord> response = compile(argv[1]);
  const Status written = write_file(argv[2], encode_response(response));
  if (!written.ok()) {
    std::fprintf(stderr, "%s\n", written.error().describe().c_str());
    return written.error().reason == Reason::kDiskFull ? kBuilderDiskFullStatus : EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace skua

int main(int argc, char** argv) {
  skua::fill_standard_streams();
  skua::keep_freed_memory();
  try {
    return skua::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skua-build: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
