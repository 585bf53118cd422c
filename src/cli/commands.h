// The subcommands of `skua`. Each adds its options to the parser and, when it is the one that was asked for,
// leaves its action behind. An action prints its result through the session's console and returns the error
// that decides the exit status.
#pragma once

#include <atomic>
#include <functional>

#include <CLI/CLI.hpp>

#include "cli/console.h"
#include "skua/host_tuple.h"
#include "skua/result.h"

namespace skua {

struct Session {
  Console& console;
  const std::atomic<bool>* cancel_requested = nullptr;  ///< set by Ctrl-C
};

using Action = std::function<Status(Session&)>;

void add_doctor(CLI::App& app, Action& action);
void add_compile(CLI::App& app, Action& action);
void add_provision(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_collect(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_thermal(CLI::App& app, Action& action);
void add_recorder(CLI::App& app, Action& action);
void add_keygen(CLI::App& app, Action& action);
void add_sign(CLI::App& app, Action& action);
void add_ratchet(CLI::App& app, Action& action);

/// The whole program, for main and for tests: parses, acts, returns the exit status. Never throws.
int run_skua(int argc, const char* const* argv, Session& session) noexcept;

}  // namespace skua
