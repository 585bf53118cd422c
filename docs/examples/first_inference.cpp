// Loads a flight set and runs one of its networks once: first_inference SET_DIR MODEL
#include <iostream>

#include "skua/runtime_factory.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  skua::RuntimeEnvironment environment;
  environment.config.runtime = "onnx_trt_ep";
  environment.config.execution_provider = "cpu";
  environment.role = skua::Role::kGround;
  environment.host = skua::probe_host();
  const auto runtime = skua::build_inference_runtime(environment).value();
  skua::GatePolicy policy;
  policy.allow_unsigned = true;  // for development only
  const auto set = runtime->load_flight_set(argv[1], policy).value();
  const auto lane = runtime->create_lane("first").value();
  const auto* engine = set.find(argv[2]);
  if (engine == nullptr) return 1;
  auto network = runtime->bind(*engine, lane).value();
  for (float& value : network.input(0).as<float>()) value = 0.5F;
  network.run().value();
  std::cout << network.output(0).shape.to_string() << " " << network.output(0).as<float>()[0] << "\n";
  return 0;
}
