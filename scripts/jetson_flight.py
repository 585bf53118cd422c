"""The report's lines on the platform, the flight loop and errors: see jetson_report.py."""

from __future__ import annotations

from jetson_lines import SIL, Report, Steps, document, records

# The budgets of the stack that Skua is a part of.
FRAME_P95_MS, DROPPED_SHARE, READY_MS = 400.0, 0.10, 30_000.0
RESIDENT_BYTES, GIB = 4 << 30, 1 << 30
LEAST_AVAILABLE_SHARE = 0.05  # of the memory: below that a system stands before its OOM killer
EIGHT_HOURS_MIN = 480.0
MOST_DROPPED_AFTER_ERROR = 2
SURVIVED, RENEWED = (2,), (400, 900)  # CUDA errors: of memory, and two that cost the context
JETPACKS = {"4.3": "6.2", "4.4": "6.2.1", "4.7": "6.2.1"}  # by the revision of L4T R36
FLIGHT = "Flight loop, demo networks flown, every network resident"


# ---- platform ------------------------------------------------------------------------------------------------------

def tensorrt_of(steps: Steps) -> dict:
    runtimes = steps.answer("doctor").get("runtimes", [])
    return next((each for each in runtimes if each["label"] == "tensorrt"), {})


def platform(report: Report) -> None:
    section = "Platform"
    if report.is_sil:
        report.add(section, "Jetson Orin Nano 8 GB, JetPack 6.2", None, SIL, of_device=False)
        return
    if not report.step(section, "platform read", "platform"):
        return
    found = [line.partition(": ")[::2] for line in report.steps.text("platform").splitlines()]
    value = {key: rest for key, rest in reversed(found)}
    total = next((int(rest.split()[1]) for key, rest in found if key == "memory" and rest.startswith("MemTotal")), 0)
    report.add(section, "Jetson Orin Nano 8 GB", "Orin Nano" in value.get("model", "") and 6e6 < total < 9e6,
               f"{value.get('model')}, {total} kB")
    packages = dict(rest.split()[:2] for key, rest in found if key == "package" and len(rest.split()) > 1)
    jetpack(report, section, value.get("l4t", ""), packages)
    power = value.get("nvpmodel", "was not asked")
    report.add(section, "power mode 25W", "25W" in power.split(), power)
    clocks(report, section, [rest for key, rest in found if key == "clock"])


def jetpack(report: Report, section: str, l4t: str, packages: dict[str, str]) -> None:
    """6.2.1 has the same TensorRT and CUDA: another release than the aircraft's, and no failure."""
    revision = l4t.partition("REVISION: ")[2].partition(",")[0]
    release = JETPACKS.get(revision) if "R36" in l4t else None
    told = f"{l4t}: {'JetPack ' + release if release else 'of no JetPack 6.2'}; " \
           f"package nvidia-jetpack {packages.get('nvidia-jetpack', 'is not there')}"
    if release == "6.2.1":
        told += "; what follows is of 6.2.1, and 6.2 (L4T 36.4.3) is what flies"
    report.add(section, "JetPack 6.2", None if release == "6.2.1" else release is not None, told)
    package = packages.get("libnvinfer10", "not installed as a package")
    sdk = tensorrt_of(report.steps).get("sdk", {}).get("version", "-")
    report.add(section, "TensorRT 10.3", package.startswith("10.3.") and sdk.startswith("10.3."),
               f"package {package}, Skua found {sdk}")


def clocks(report: Report, section: str, found: list[str]) -> None:
    lowest, highest = ({text.split(":")[-1] for text in found if f"/{kind}_freq:" in text and "gpu" in text}
                       for kind in ("min", "max"))
    report.add(section, "GPU clock fixed (jetson_clocks)", bool(lowest) and lowest == highest,
               "; ".join(found) or "no devfreq node")


# ---- the flight loop -----------------------------------------------------------------------------------------------

def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def frame_lines(steps: Steps, name: str) -> list[dict]:
    file = steps.out / f"{name}.frames.jsonl"
    return [line for line in map(document, file.read_text().splitlines()) if line] if file.exists() else []


def flight(report: Report, minutes: float, warm_up_s: float) -> None:
    report.step(FLIGHT, "every network loaded at once, warm and proven", "load")
    if not report.step(FLIGHT, "flew to its end", "flight", f"{minutes:g} minutes"):
        return
    flown = report.steps.left("flight.report.json")
    if not flown:
        report.add(FLIGHT, "report of the flight", False, "there is none", of_device=False)
        return
    frames(report, flown, warm_up_s)
    resident(report, flown)
    memory(report, flown, minutes)
    log = report.steps.text("flight")
    taken = records(log, "c7.memory_after_seal")
    report.add(FLIGHT, "no memory of the GPU taken after the load", not taken,
               f"{len(taken)} events c7.memory_after_seal")
    report.add(FLIGHT, "throttle visible within 1 s", None, "nothing here makes the device hot", of_device=False)


def frames(report: Report, flown: dict, warm_up_s: float) -> None:
    """Demo networks alone cannot show that the stack keeps its budgets; where they break one, it does."""
    skipped = int(warm_up_s * flown["rate_hz"])
    later = [line for line in frame_lines(report.steps, "flight") if line["frame"] >= skipped]
    times = [line["ms"]["frame"] for line in later]
    slots = flown["frames"] + flown["missed"] - skipped
    if not times or slots <= 0:
        report.add(FLIGHT, "frames after the warm-up", False, f"none of {flown['frames']}")
        return
    p50, p95, p99 = (percentile(times, share) for share in (0.50, 0.95, 0.99))
    report.add(FLIGHT, "frame: p95 <= 400 ms", None if p95 <= FRAME_P95_MS else False,
               f"p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} max {max(times):.1f} ms, jitter (p99 - p50) "
               f"{p99 - p50:.1f} ms; of the demo networks, not of the stack's")
    dropped = slots - sum("reason" not in line for line in later)
    report.add(FLIGHT, "frames dropped: <= 10 %", None if dropped <= DROPPED_SHARE * slots else False,
               f"{dropped} of {slots} after the warm-up; {flown['late']} late in all; of the demo networks")


def resident(report: Report, flown: dict) -> None:
    """The load refuses what is over gpu_memory_budget_bytes; this is what it came to."""
    told = records(report.steps.text("flight"), "c7.backbone_resident")
    total = sum(record["kv"]["resident_bytes"] for record in told)
    wanted = max(len(flown["engines"]), len(engines_of(report.steps, "stack")))
    report.add(FLIGHT, "every network resident at once: <= 4 GiB", len(told) == wanted and 0 < total <= RESIDENT_BYTES,
               f"{len(told)} of {wanted} engines, {total / GIB:.3f} GiB; the load refuses what is over the budget")


def engines_of(steps: Steps, name: str) -> list[dict]:
    return [each["engine"] for each in steps.answer(f"inspect.{name}").get("content", {}).get("artifacts", [])]


def memory(report: Report, flown: dict, minutes: float) -> None:
    """Swap since the flight began: what was swapped before, by a build or by zram, is not the flight's."""
    file = report.steps.out / "memory.txt"
    samples = map(str.split, file.read_text().splitlines() if file.exists() else [])
    rows = [dict(zip(words[::2], map(int, words[1::2]))) for words in samples if len(words) == 8]
    name, own = "whole computer: memory left, no swap taken", flown.get("memory", {})
    if rows:
        total, least = rows[0]["MemTotal:"], min(row["MemAvailable:"] for row in rows)
        swapped = [row["SwapTotal:"] - row["SwapFree:"] for row in rows]
        growth = max(swapped) - swapped[0]
        report.add(FLIGHT, name, least >= LEAST_AVAILABLE_SHARE * total and growth == 0,
                   f"at the least {least} of {total} kB available, swap from {swapped[0]} to {max(swapped)} kB; the "
                   f"program {own.get('peak_bytes', 0)} bytes, {own.get('slope_bytes_per_frame', 0):.0f} bytes a frame")
    else:
        report.add(FLIGHT, name, None, "was not read")
    if minutes < EIGHT_HOURS_MIN:
        report.add(FLIGHT, "the same for 8 hours", None,
                   f"flown {minutes:g} minutes; --minutes {EIGHT_HOURS_MIN:g} does", of_device=False)


def starts(report: Report) -> None:
    steps = report.steps
    names, name = steps.names("start."), "killed and started again: ready <= 30 s"
    failed = [step for step in [*names, *steps.names("killed.")] if steps.status(step) != 0]
    for step in failed:
        report.step(FLIGHT, f"{step}: no engine fails", step)
    if not names:
        report.add(FLIGHT, name, None, "was not run", of_device=False)
        return
    left = [steps.left(f"{step}.report.json") for step in names]
    ready = [flown.get("ready_ms", float("inf")) for flown in left]
    engines = min(len(flown.get("engines", [])) for flown in left)
    report.add(FLIGHT, name, not failed and percentile(ready, 0.95) <= READY_MS,
               f"{len(names)} starts over {engines} engines, {len(failed)} steps failed, "
               f"p95 {percentile(ready, 0.95):.0f} ms")


# ---- errors --------------------------------------------------------------------------------------------------------

def errors(report: Report) -> None:
    """One injected error costs one run. Code 2 keeps its context; one that is made anew is told by the memory that it
    takes, if it takes any."""
    for code in (*SURVIVED, *RENEWED):
        name = f"survived CUDA error {code}" + (", context made anew" if code in RENEWED else "")
        if report.step("Errors", f"flew on after CUDA error {code}", f"error.{code}"):
            one_error(report, name, code)
        else:
            report.add("Errors", name, None, "the flight has no good end", of_device=False)
    report.add("Errors", "errors that TensorRT itself reports; a device that is really lost", None,
               "nothing here provokes them", of_device=False)


def one_error(report: Report, name: str, code: int) -> None:
    log, flown = report.steps.text(f"error.{code}"), report.steps.left(f"error.{code}.report.json")
    failures = [record["kv"]["native_code"] for kind in ("c7.inference_failed", "c7.out_of_memory")
                for record in records(log, kind)]
    renewed = sum(record["kv"]["memory"] == "context" for record in records(log, "c7.memory_after_seal"))
    dropped = sum(flown.get("no_result", {}).values())
    is_good = failures.count(code) == 1 and flown.get("positions", 0) >= 5 and dropped <= MOST_DROPPED_AFTER_ERROR
    told = f"runs that failed, by code: {failures}; {flown.get('positions', 0)} positions, {dropped} frames without one"
    if code in RENEWED:
        told += f"; {renewed} times memory was taken for a new context"
        is_good = None if is_good and not renewed else is_good
    report.add("Errors", name, is_good, told)
