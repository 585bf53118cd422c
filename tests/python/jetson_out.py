"""A folder as scripts/jetson_acceptance.sh leaves it on a Jetson where all is well, written by hand."""

import json

PLATFORM = """\
model: NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super
l4t: # R36 (release), REVISION: 4.3, GCID: 12345678, BOARD: generic, EABI: aarch64, DATE: a day in January
nvpmodel: NV Power Mode: 25W 1
clock: /sys/class/devfreq/17000000.gpu/min_freq:918000000
clock: /sys/class/devfreq/17000000.gpu/max_freq:918000000
clock: /sys/class/devfreq/17000000.gpu/governor:nvhost_podgov
package: cuda-cudart-12-6 12.6.68-1
package: libnvinfer10 10.3.0.30-1+cuda12.5
package: libnvonnxparsers10 10.3.0.30-1+cuda12.5
package: nvidia-jetpack 6.2+b77
package: nvidia-l4t-core 36.4.3-20250107174145
memory: MemTotal:        7802080 kB
memory: MemFree:         4103200 kB
"""
STANDINS = {"ultravpr": 20.0, "disk": 40.0, "lightglue": 8.0, "adhop": 10.0}  # p95 in ms; a whole frame: 174
DEMO = ("demo_features", "demo_matcher", "demo_vpr")
SETS = {"flight": DEMO, "stack": (*DEMO, *STANDINS), "contexts": (*DEMO, "shared"), "asked": ("asked",),
        **{name: (name,) for name in STANDINS}}
DONE_STEPS = ("configure", "build", "install", "no_sil", "tests_unit", "tests_conformance", "route.trtexec", "load",
              "contexts", "runtime_object", "artifacts")
FRAMES, WARM_UP_S, RATE_HZ = 300, 30, 3.0


def engine(model):
    return {"model": model, "inputs": [{"name": "x"}], "outputs": [{"name": "y"}],
            "golden": {"tolerances": {"y": {"absolute": 0.01, "relative": 0.0}}, "origin": "eager PyTorch"},
            "proof": {"golden.max_abs.y": "0.001", "layers": "20", "layers.fp16": "18", "precision": "read back",
                      "cuda_graph": "no: data_dependent_outputs" if model == "asked" else "yes"}}


def figures(p95_ms):
    return {"name": "skua bound run", "p50_us": 900 * p95_ms, "p95_us": 1000 * p95_ms, "p99_us": 1000 * p95_ms + 50,
            "max_us": 1000 * p95_ms + 90}


def record(kind, **kv):
    return json.dumps({"kind": kind, "kv": kv}) + "\n"


class Left:
    """Writes into `out`; every method replaces what it wrote before."""

    def __init__(self, out):
        self.out = out
        (out / "steps").mkdir(parents=True)

    def step(self, name, status=0, text=""):
        (self.out / "steps" / f"{name}.out").write_text(text)
        (self.out / "steps" / f"{name}.err").write_text("")
        (self.out / "steps" / f"{name}.status").write_text(f"{status}\n")

    def answer(self, name, document, status=0):
        self.step(name, status, json.dumps(document))

    def refused(self, name, reason):
        self.answer(name, {"error": {"reason": reason, "message": "in words"}}, 5)

    def file(self, name, document):
        (self.out / name).write_text(json.dumps(document))

    def frame_lines(self, frame_ms=120.0, without=()):
        lines = [{"frame": n, "ms": {"frame": frame_ms}} | ({"reason": "deadline_missed"} if n in without else {})
                 for n in range(FRAMES)]
        (self.out / "flight.frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def flight(self, models=SETS["stack"], log="", resident_bytes=300 << 20):
        told = "".join(record("c7.backbone_resident", resident_bytes=resident_bytes) for _ in models)
        self.step("flight", 0, told + log)
        self.file("flight.report.json", {
            "rate_hz": RATE_HZ, "frames": FRAMES, "missed": 0, "late": 0, "no_result": {},
            "engines": [{}] * len(models), "memory": {"peak_bytes": 1 << 30, "slope_bytes_per_frame": 0.0}})

    def memory(self, *rows):
        (self.out / "memory.txt").write_text("".join(
            f"MemTotal: 7802080 MemAvailable: {available} SwapTotal: 3900000 SwapFree: {free} \n"
            for available, free in rows))

    def error(self, code, failures=None, renewed="context", dropped=1):
        told = [code] if failures is None else failures
        log = "".join(record("c7.inference_failed", native_code=native) for native in told)
        self.step(f"error.{code}", 0, log + (record("c7.memory_after_seal", memory=renewed) if renewed else ""))
        self.file(f"error.{code}.report.json", {"positions": 20, "no_result": {"execution_failed": dropped}})

    def object_built(self, p99_ms):
        self.file("runtime_object.json", {"figures": [{"name": "building the runtime object, p99", "value": p99_ms}]})

    def start(self, number, ready_ms=9000.0, models=SETS["stack"]):
        self.step(f"killed.{number}")
        self.step(f"start.{number}")
        self.file(f"start.{number}.report.json", {"ready_ms": ready_ms, "engines": [{}] * len(models)})


def benches(left, name, models):
    for way in ("graph", "enqueue", "mapped", "copied"):
        left.answer(f"bench.{name}.{way}", {"engines": [
            {"model": model, "subjects": [figures(STANDINS.get(model, 1.0))]} for model in models]})


def judged(left, ranges="calibration cache", int8_layers="3"):
    proof = {"layers.float": "9", "layers.fp16": "5", "accuracy.descriptors": "relative_l2 0.03", "calibration.why": "it fits"}
    for step, more in (("int8.first", {"layers.int8": int8_layers}), ("int8.second", {"layers.int8": "3"}), ("mixed", {})):
        left.answer(step, {"engine": {"options": {"int8_ranges": ranges}, "proof": proof | more}})


def good(out):
    left = Left(out)
    left.step("platform", 0, PLATFORM)
    for step in DONE_STEPS:
        left.step(step)
    left.answer("doctor", {"runtimes": [{"label": "tensorrt", "sdk": {
        "version": "10.3.0.30", "library": "/usr/lib/libnvinfer.so.10", "providers": ["tensorrt"]}}]})
    (out / "sets.txt").write_text("".join(f"{name}\n" for name in SETS))
    for name, models in SETS.items():
        left.step(f"provision.{name}")
        left.answer(f"inspect.{name}", {"content": {"artifacts": [{"engine": engine(model)} for model in models]}})
        if name not in ("stack", "contexts", "asked"):
            benches(left, name, models)
    for which, cache in (("first", "none"), ("second", "used")):
        left.answer(f"again.{which}", {"engine": {"engine_sha256": which, "proof": {"timing_cache": cache}}})
    judged(left)
    left.refused("foreign", "host_fact_mismatch")
    left.flight()
    left.frame_lines()
    left.memory((4_000_000, 3_900_000), (2_000_000, 3_900_000))
    for number in (1, 2):
        left.start(number)
    for code in (2, 400, 900):
        left.error(code, renewed="" if code == 2 else "context")
    left.object_built(12.0)
    return left
