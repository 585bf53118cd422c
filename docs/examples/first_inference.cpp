// Loads a flight set and runs one of its networks once: first_inference SET_DIR MODEL PUBLIC_KEY
#include <fstream>
#include <iostream>
#include <sstream>

#include "skua/runtime_factory.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ostringstream key;
  key << std::ifstream(argv[3]).rdbuf();
  skua::RuntimeEnvironment environment;
  environment.config.runtime = "onnx_trt_ep";
  environment.config.execution_provider = "cpu";
  environment.role = skua::Role::kGround;
  environment.host = skua::probe_host();

  skua::GatePolicy policy;
  policy.trusted_keys = {skua::PublicKey::from_pem(key.str()).value()};  // refused unless it signed the set
  const auto runtime = skua::build_inference_runtime(environment).value();
  const auto set = runtime->load_flight_set(argv[1], policy).value();
  const auto* engine = set.find(argv[2]);
  if (engine == nullptr) return 1;
  auto network = runtime->bind(*engine, runtime->create_lane("first").value()).value();
  for (float& value : network.input(0).as<float>()) value = 0.5F;
  network.run().value();
  std::cout << network.output(0).shape.to_string() << " " << network.output(0).as<float>()[0] << "\n";
  return 0;
}
