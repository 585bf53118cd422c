"""Loads a flight set and runs one of its networks once: first_inference.py SET_DIR MODEL PUBLIC_KEY"""

import pathlib
import sys

import skua

set_dir, model, key = sys.argv[1:]
runtime = skua.build_inference_runtime({"runtime": "onnx_trt_ep", "execution_provider": "cpu"}, role="ground")
trusted = skua.PublicKey.from_pem(pathlib.Path(key).read_text())
policy = skua.GatePolicy(trusted_keys=[trusted])  # refused unless it signed the set
flight_set = runtime.load_flight_set(set_dir, policy)
network = runtime.bind(flight_set[model], runtime.create_lane("first"))
for values in network.inputs.values():
    values[...] = 0.5
network.run()
for name, values in network.outputs.items():
    print(name, values.shape, values.flat[0])
