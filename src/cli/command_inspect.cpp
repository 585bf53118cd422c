#include <memory>

#include "cli/commands.h"
#include "cli/inspect_file.h"
#include "core/json_strict.h"

namespace skua {

void add_inspect(CLI::App& app, Action& action) {
  auto path = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("inspect", "show what an artifact, a record or a set says about itself");
  command->add_option("PATH", *path, "a file or a folder")->required();
  command->callback([path, &action] {
    action = [path](Session& session) { return inspect_path(*path, session.console); };
  });
}

}  // namespace skua
