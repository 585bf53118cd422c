// skua-build: the build executable. Compiles one model into a staging folder and ends; it is started by
// compile_model, never by hand. Usage: skua-build REQUEST.json RESPONSE.json PARENT_PID. Progress lines go to
// stdout, SDK noise to stderr (the log). Exit status 0 whenever a response was written, also one that holds
// an error.
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

#include "builder/confinement.h"
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

/// Death with the parent: an orphan would write into a staging folder that somebody else cleans.
bool die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

std::atomic<bool> has_lacked_memory{false};

/// operator new's last resort.
[[noreturn]] void note_lack_of_memory() {
  has_lacked_memory = true;
  throw std::bad_alloc();
}

/// Memory that a build asked for and did not get is the host's, unless a device has memory of its own.
Error named_by_its_memory(Error error, const builder::Confinement& confinement) {
  const bool is_host = has_lacked_memory || !confinement.may_use_device;
  if (error.code != ErrorCode::kOutOfMemory || !is_host) return error;
  constexpr std::uint64_t kMib = 1U << 20U;
  error.code = ErrorCode::kEngineBuild;
  error.reason = Reason::kBuilderMemory;
  error.message += "; the build process may take " + std::to_string(confinement.memory_bytes / kMib) +
                   " MiB, if the machine has as much: raise build_memory_mb, build a smaller network, or end "
                   "other programs";
  return error;
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

/// Only what was confined looks at the network.
Result<EngineRecord> compile_confined(const CompileRequest& request, StdoutProgress& progress) {
  const std::string& label = request.runtime_label;
  auto module = open_module<CompilerModule, CompilerModuleFunction>(
      module_file(library_folder(), "compiler", label), label, kCompilerModuleSymbol);
  if (!module.ok()) {
    return make_error(ErrorCode::kEngineBuild, Reason::kBuilderMissing, module.error().message);
  }
  return (*module)->compile(request, progress);
}

Result<EngineRecord> compile(const std::filesystem::path& request_path) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(request_path));
  SKUA_ASSIGN_OR_RETURN(const CompileRequest request, decode_request(text));
  const builder::Confinement confinement = builder::confinement_for(request);
  SKUA_ASSIGN_OR_RETURN(const std::string had,
                        builder::confine(confinement, builder::means_of_this_system()));
  StdoutProgress progress;
  progress.step(std::string(kConfinementLine) + had);
  auto record = compile_confined(request, progress);
  if (!record.ok()) return named_by_its_memory(std::move(record).error(), confinement);
  return record;
}

int run(int argc, char** argv) {
  constexpr int kUsage = 2;
  if (argc != 4) {
    std::fputs("usage: skua-build REQUEST.json RESPONSE.json PARENT_PID (started by skua, not by hand)\n",
               stderr);
    return kUsage;
  }
  if (!die_with(static_cast<pid_t>(std::strtol(argv[3], nullptr, 10)))) return EXIT_FAILURE;
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
  std::set_new_handler(skua::note_lack_of_memory);
  std::signal(SIGCHLD, SIG_DFL);  // a build within this build is waited for
  try {
    return skua::run(argc, argv);
  } catch (const std::bad_alloc&) {
    return skua::kBuilderMemoryStatus;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skua-build: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
