// The name of an engine file: one spelling for what it says.
#include "skua/engine_filename.h"

#include "../fuzz.h"
#include "skua/build_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const std::string_view name = fuzz::text_of(data, size);
  const auto parts = EngineFilenameSchema::parse(name);
  if (!parts.ok()) {
    fuzz::require_refusal(parts.error(), {Reason::kEngineNameMalformed});
    return 0;
  }
  const auto built = parts->build();
  fuzz::require(built.ok() && *built == name, "build(parse(name)) is name");
  fuzz::require(is_legal_model_name(parts->model), "the model's name is legal");
  fuzz::require(name.find('/') == std::string_view::npos, "no folder in a file name");
  return 0;
}
