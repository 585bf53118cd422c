// The configuration of component C7, frozen once read. Reading it from a file is bootstrap's work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua {

/// One consumer's private execution resources, declared before the flight.
struct LaneDeclaration {
  std::string consumer;  ///< the consumer's slug, e.g. "c2_vpr"; also the lane's name
  std::string engine =
      {};  ///< the one engine it runs, by logical name; empty: every engine gets memory for it
};

/// Who runs us. Decided by the factory that builds the runtime, never by files that happen to be there.
enum class Role : std::uint8_t {
  kGround,    ///< may compile, may load single engines from the cache
  kAirborne,  ///< loads flight sets only
};

/// `components.c7_inference`. Defaults are those of the flight stack.
struct RuntimeConfig {
  std::string runtime = "pytorch_fp16";
  std::filesystem::path engine_cache_dir = "/var/lib/skua/engines";
  double thermal_poll_hz = 1.0;          ///< > 0, at most 10; the airborne template says 2
  std::string thermal_source = "auto";   ///< auto, jetson_sysfs, nvml, linux, replay, null: exactly this one
  std::filesystem::path thermal_replay;  ///< recorded readings, absolute; for `replay` only
  int thermal_cpu = -1;                  ///< the core that the telemetry threads keep to; -1: any
  int thermal_nice = 10;                 ///< 0 (as the program) to 19 (last)
  bool per_frame_debug_log = false;  ///< infer() tells c7.infer; BoundInference::run never does on success
  std::uint64_t gpu_memory_budget_bytes =
      4294967296ULL;            ///< resident engines and lanes; CPU devices count here too
  int trtexec_timeout_s = 600;  ///< also the limit of every other build process
  int build_memory_mb = 16384;  ///< most memory that a build process may take, in MiB; at least 256
  std::filesystem::path ort_trt_cache_dir;  ///< compile-time staging; empty: under engine_cache_dir
  bool ort_disallow_cpu_fallback = true;    ///< false is a configuration error
  std::filesystem::path flight_sets_dir = "/var/lib/skua/sets";
  std::filesystem::path state_dir = "/var/lib/skua/state";
  std::uint64_t flight_set_limit_bytes = 2147483648ULL;

  // the airborne bootstrap
  std::filesystem::path trusted_key;       ///< public key (PEM) that sets are signed with, absolute
  std::filesystem::path next_trusted_key;  ///< a second one, accepted as well while keys change; absolute
  std::uint64_t release_sequence_step =
      1000;                       ///< a set may be at most so far ahead of the last accepted one; at least 1
  bool is_clock_trusted = false;  ///< whether UTC is right at take-off: only then an expiry date is judged
  std::string lightglue_model = "lightglue";  ///< logical name of the matcher that C2.5 and C3 share
  int lightglue_lanes = 2;  ///< 1..8: pairs of match_batch that may run at once; each has a thread and memory

  // events: read by start_events (src/bootstrap/event_setup.h), which a program calls. A runtime by itself
  // neither logs nor records: it tells its EventSink. Of today's programs skua --recorder alone uses the
  // recorder's fields, with a folder of its own.
  std::string log_sink = "stdout";     ///< stdout, journald, none
  std::string log_level = "INFO";      ///< DEBUG, INFO, WARN, ERROR: the least that is logged
  std::filesystem::path recorder_dir;  ///< the flight recorder's folder, absolute; empty: no recorder
  std::uint64_t recorder_limit_bytes = 67108864ULL;  ///< of all its segments together; at least 1 MiB
  int recorder_sync_ms = 0;  ///< longest time a record waits for its fsync; 0: none, after every batch

  // onnx_trt_ep and pytorch_fp16
  int intra_op_threads = 1;  ///< 1..64 per call; no spinning. libtorch fixes it for the whole process

  // onnx_trt_ep
  std::string execution_provider = "tensorrt";  ///< tensorrt, cuda, cpu: exactly this one
  std::filesystem::path onnxruntime_library;    ///< absolute; empty: the one fixed when Skua was built

  // pytorch_fp16
  std::string device;      ///< cpu or cuda; empty: what the libtorch that Skua was built for is made for
  std::string arithmetic;  ///< widened (fp16 weights, fp32 arithmetic) or native; empty: widened on the CPU
  std::filesystem::path torch_library;  ///< libtorch.so, absolute; empty: the one fixed when Skua was built

  // tensorrt
  std::string tensorrt_wait = "poll";       ///< how a run waits: spin, block (in the driver) or poll
  std::string tensorrt_io_memory = "auto";  ///< mapped, copied; auto: mapped on an integrated GPU
  std::string tensorrt_copied_tensors;      ///< comma list of MODEL/TENSOR that are copied all the same
  bool tensorrt_cuda_graphs = true;         ///< one launch for each run where that is possible

  // tensorrt, while compiling: the tools of two build routes, absolute
  std::filesystem::path trtexec = "/usr/src/tensorrt/bin/trtexec";
  std::filesystem::path polygraphy;  ///< empty: there is none

  std::vector<LaneDeclaration> lanes;  ///< beside the lane "default", which always exists

  /// InvalidArgumentError naming the field, the found and the allowed.
  Status validate() const;
};

/// Sets one field from text, by its YAML name (`skua compile --set KEY=VALUE`). Unknown keys and values out
/// of range are InvalidArgumentError; `config` is then unchanged.
Status set_field(RuntimeConfig& config, std::string_view key, std::string_view value);
/// Every scalar field as text, in the order above: what `skua doctor` prints.
std::vector<std::pair<std::string, std::string>> fields_of(const RuntimeConfig& config);

}  // namespace skua
