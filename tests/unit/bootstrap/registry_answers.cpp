// Prints what a registry answers to every value of `runtime`, one line each:
//   <runtime> <flag is ON> <factory's answer> <times told> <airborne's answer> <module is mapped> <is mapped>
// An answer is "built" or "<error class>/<reason>"; told is the event c7.runtime_built, well formed, to the
// factory's caller; the last two are asked after the airborne question alone, and after both. Compiled once
// for each combination of the build flags from registry.cpp and airborne_bootstrap.cpp; libskua, and so the
// modules, are where LD_LIBRARY_PATH says.
#include <fstream>
#include <iostream>
#include <string>

#include "event_payload.h"
#include "skua/airborne_bootstrap.h"
#include "tests/unit/inference/fake_runtime.h"

namespace {

using skua::Error;

std::string answer_of(const Error& error) {
  return std::string(skua::error_class_name(error.code)) + "/" + std::string(to_string(error.reason));
}

int times_told(const skua::test::RecordingSink& events) {
  int told = 0;
  for (const skua::Event& event : events.events) {
    const bool is_ours = event.kind == "c7.runtime_built" && skua::test::missing_keys(event).empty();
    told += is_ours && std::get<std::string>(event.fields.back().value) == "airborne" ? 1 : 0;
  }
  return told;
}

std::string factory_answer(const std::string& runtime) {
  skua::test::RecordingSink events;  // outlives the runtime
  skua::RuntimeEnvironment environment;
  environment.events = &events;
  environment.config.runtime = runtime;
  environment.config.thermal_source = "null";
  const auto built = skua::build_inference_runtime(std::move(environment));
  return (built.ok() ? "built " : answer_of(built.error()) + " ") + std::to_string(times_told(events));
}

/// The folder of sets does not exist: what was built is refused by the set gate, and that is the answer.
std::string airborne_answer(const std::string& runtime, const std::filesystem::path& sets) {
  skua::AirborneConfig config;
  config.has_inference_block = true;
  config.inference.runtime = runtime;
  config.inference.thermal_source = "null";
  config.inference.flight_sets_dir = sets;
  const auto built = skua::build_pre_constructed(config, {});
  if (built.ok()) return "built";
  std::cerr << skua::operator_text(built.error()) << "\n";
  return answer_of(built.error());
}

bool is_mapped(const std::string& runtime) {
  std::ifstream maps("/proc/self/maps");
  const std::string module = "libskua_runtime_" + runtime + ".so";
  for (std::string line; std::getline(maps, line);) {
    if (line.find(module) != std::string::npos) return true;
  }
  return false;
}

bool is_flag_on(const std::string& runtime) {
  for (const skua::RuntimeEntry& entry : skua::runtime_registry()) {
    if (entry.label == runtime) return entry.is_built;
  }
  return false;
}

}  // namespace

int main() {
  for (const std::string runtime : {"tensorrt", "pytorch_fp16", "onnx_trt_ep", "unknown"}) {
    const std::string airborne = airborne_answer(runtime, "/nonexistent/skua/sets");
    const bool is_mapped_airborne = is_mapped(runtime);
    const std::string factory = factory_answer(runtime);
    std::cout << runtime << " " << is_flag_on(runtime) << " " << factory << " " << airborne << " "
              << is_mapped_airborne << " " << is_mapped(runtime) << "\n";
  }
}
