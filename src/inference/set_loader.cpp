#include "inference/set_loader.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "cache/safe_file.h"
#include "cache/set_files.h"
#include "core/parallel.h"
#include "core/trace.h"
#include "inference/load_events.h"

namespace skua {
namespace {

constexpr std::size_t kMostLoaders = 4;

std::vector<EngineExpectation> expectations_of(const RuntimeState& runtime, const Manifest& manifest,
                                               bool uses_gpu) {
  std::vector<EngineExpectation> expectations;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const EngineRecord& record = artifact.engine;
    expectations.push_back({record.file, record, record.precision, runtime.environment.host, uses_gpu});
  }
  return expectations;
}

Status check_airborne_precision(const RuntimeState& runtime, const EngineRecord& record) {
  if (runtime.environment.role == Role::kGround || record.precision != Precision::kFp32) return {};
  return make_error(ErrorCode::kEngineSchemaMismatch, Reason::kPrecisionNotAirborne,
                    record.file + " is fp32: reference artifacts never fly; provision the set with fp16");
}

using FreeMemory = Result<std::optional<std::uint64_t>>;

/// What the device has free is asked once, before the first engine is placed: what the others have taken is
/// missing later.
AdmissionSteps with_memory_judged(AdmissionSteps steps) {
  steps.is_memory_judged = true;
  return steps;
}

std::uint64_t largest_bytes(const Manifest& manifest) noexcept {
  std::uint64_t largest = 1;
  for (const ManifestArtifact& artifact : manifest.artifacts)
    largest = std::max(largest, artifact.engine.size_bytes);
  return largest;
}

/// For a debugger, and the threads of a trace. Worker 0 is the caller.
void name_loader(std::size_t worker) noexcept {
  if (worker == 0) return;
  std::array<char, 16> name{};  // the longest that Linux takes
  std::snprintf(name.data(), name.size(), "skua-load-%u", static_cast<unsigned>(worker % 1000));
  ::pthread_setname_np(::pthread_self(), name.data());
}

/// The state of one flight-set load. `step` may run on several threads at once, with different indices.
class SetLoader {
 public:
  SetLoader(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu, AdmittedSet set)
      : runtime_(runtime),
        steps_(with_memory_judged(steps)),
        set_(std::move(set)),
        free_(runtime.free_memory()),
        expectations_(expectations_of(runtime, set_.manifest, uses_gpu)),
        workers_(loader_count(set_.manifest, room_for_engines(), usable_cores())),
        pool_(workers_, expectations_.size()),
        slots_(expectations_.size()) {}

  Status open_golden() {
    if (set_.manifest.artifacts.empty()) return {};
    auto golden = set_.folder->open_folder(kGoldenFolder);
    if (!golden.ok()) return as_load_error(golden.error(), file_text(*set_.folder, kGoldenFolder));
    golden_ = *std::move(golden);
    return {};
  }

  /// The budget, and what the device has free, are judged for the whole set, in its order and before a byte
  /// is read: which engine does not fit must not depend on which was faster. What engines are read into
  /// counts, too: it is the device's where that has the computer's memory, and where it has its own the
  /// margin is on the safe side.
  void judge_memory() {
    const std::uint64_t limit = budget();
    const std::uint64_t resident = runtime_.share->budget_used.load();
    const std::uint64_t buffers = workers_ * largest_bytes(set_.manifest);
    std::uint64_t claimed = 0;
    for (std::size_t index = 0; index < slots_.size(); ++index) {
      const EngineRecord& record = record_of(index);
      const std::uint64_t bytes = bytes_with_lanes(runtime_, record);
      const std::uint64_t used = resident + claimed;
      std::optional<Error>& no_room = slots_[index].no_room;
      if (bytes > limit || used > limit - bytes) {
        no_room = budget_error(record.model, bytes, used, limit);
      } else if (!free_.ok()) {
        no_room = free_.error();
      } else if (free_->has_value() && (bytes > **free_ || buffers + claimed > **free_ - bytes)) {
        no_room = free_memory_error(record.model, bytes, buffers + claimed, **free_);
      }
      if (no_room)
        note_refusal(index);
      else
        claimed += bytes;
      has_room_ = has_room_ && !no_room;
    }
  }

  void run() {
    for_each_index(slots_.size(), workers_, [this](std::size_t worker, std::size_t index) {
      name_loader(worker);
      step(index);
    });
    if (first_refused_.load() < slots_.size()) return;
    std::vector<WarmUp> tasks = warm_ups();
    for_each_index(tasks.size(), workers_, [&](std::size_t worker, std::size_t task) {
      name_loader(worker);
      tasks[task].took_ns = warm_up(runtime_, record_of(tasks[task].index), *tasks[task].lane);
    });
    for (WarmUp& task : tasks) settle(task);
  }

  Result<LoadedSet> finish() {
    const auto is_refused = [](const Slot& slot) { return slot.refusal.has_value(); };
    const auto first = std::find_if(slots_.begin(), slots_.end(), is_refused);
    if (first != slots_.end()) {
      Error error = *std::move(first->refusal);
      const auto more = std::count_if(first + 1, slots_.end(), is_refused);
      if (more > 0) error.message += " (" + std::to_string(more) + " more engines refused; see the log)";
      return error;
    }
    LoadedSet loaded;
    loaded.set_id = set_.manifest.set_id;
    loaded.release_sequence = set_.manifest.release_sequence;
    loaded.signer = set_.signer;
    for (Slot& slot : slots_) {
      loaded.engines.push_back(std::move(slot.engine));
      loaded.times.push_back(std::move(slot.times));
    }
    return loaded;
  }

 private:
  struct Slot {
    std::shared_ptr<EngineState> engine;
    EngineLoadTimes times;
    std::optional<Error> no_room;  ///< found before the load; the gate's own stages come before it
    std::optional<Error> refusal;
  };

  struct WarmUp {
    std::size_t index;  ///< of the engine
    ExecutionSlot* lane;
    Result<std::int64_t> took_ns = 0;
  };

  /// Every lane of every engine, the longest first as far as the golden runs tell: what is begun last then
  /// ends soon after the rest. In the set's order one core would wait while the last long one runs.
  std::vector<WarmUp> warm_ups() const {
    std::vector<WarmUp> tasks;
    for (std::size_t index = 0; index < slots_.size(); ++index) {
      for (const auto& slot : slots_[index].engine->slots) tasks.push_back({index, slot.get()});
    }
    const auto golden_ns = [this](const WarmUp& task) {
      const Slot& slot = slots_[task.index];
      return slot.times.golden_ns / static_cast<std::int64_t>(slot.engine->slots.size());
    };
    std::stable_sort(tasks.begin(), tasks.end(),
                     [&](const WarmUp& a, const WarmUp& b) { return golden_ns(a) > golden_ns(b); });
    return tasks;
  }

  void settle(WarmUp& task) {
    Slot& slot = slots_[task.index];
    if (task.took_ns.ok()) {
      slot.times.warm_up_ns += *task.took_ns;
    } else if (!slot.refusal) {
      refuse(task.index, std::move(task.took_ns).error());
    }
  }

  void refuse(std::size_t index, Error error) {
    const std::string& file = record_of(index).file;
    slots_[index].refusal = as_refusal(std::move(error), file);
    note_refusal(index);
    report_refusal(runtime_, file, *slots_[index].refusal);
  }

  const EngineRecord& record_of(std::size_t index) const { return set_.manifest.artifacts[index].engine; }

  void step(std::size_t index) {
    const ManifestArtifact& artifact = set_.manifest.artifacts[index];
    Span span(SpanKind::kLoadEngine, {artifact.name});
    Slot& slot = slots_[index];
    slot.times.model = artifact.name;
    slot.times.size_bytes = artifact.engine.size_bytes;
    auto engine = judge(index, slot.times);
    if (!engine.ok()) {
      span.failed(engine.error().reason);
      refuse(index, std::move(engine).error());
      return;
    }
    if (*engine == nullptr) return;
    report_loaded(runtime_, **engine, slot.times);
    slot.engine = *std::move(engine);
  }

  /// nullptr: it passed, but is not loaded because a more critical engine was refused, or because there is no
  /// room for the whole set. Only more critical ones decide: every engine before the first refused one is
  /// judged whole, whatever the others did meanwhile, so that the same set is always refused for the same
  /// reason.
  Result<std::shared_ptr<EngineState>> judge(std::size_t index, EngineLoadTimes& times) {
    PreparedEngine prepared = prepare(index);
    const EngineRecord& record = record_of(index);
    SKUA_RETURN_IF_ERROR(check_airborne_precision(runtime_, record));
    SKUA_RETURN_IF_ERROR(prepared.status());
    const std::optional<Error>& no_room = slots_[index].no_room;
    if (!has_room_ || first_refused_.load() < index) {
      SKUA_RETURN_IF_ERROR(steps_.check_record(record));
      if (no_room) return *no_room;
      return std::shared_ptr<EngineState>();
    }
    return admit_prepared(runtime_, steps_, std::move(prepared), times);
  }

  /// One engine alone is read beside its hashing. Where several are worked on every core has one, and a
  /// thread more for each would only move bytes between the cores.
  PreparedEngine prepare(std::size_t index) {
    const Clock& clock = *runtime_.environment.clock;
    const std::int64_t start_ns = clock.monotonic_ns();
    const Reading reading = workers_ > 1 ? Reading::kInTurn : Reading::kBesideHashing;
    auto engine = EngineGate::admit(*set_.folder, expectations_[index], pool_, reading);
    return prepare_engine(std::move(engine), *golden_, clock, start_ns);
  }

  void note_refusal(std::size_t index) noexcept {
    std::size_t first = first_refused_.load();
    while (index < first && !first_refused_.compare_exchange_weak(first, index)) {
    }
  }

  /// What the lanes leave of the budget and of what is free.
  std::uint64_t room_for_engines() const {
    std::uint64_t lanes_bytes = 0;
    for (const ManifestArtifact& artifact : set_.manifest.artifacts)
      lanes_bytes += bytes_with_lanes(runtime_, artifact.engine) - artifact.engine.size_bytes;
    const std::uint64_t room = free_.ok() && free_->has_value() ? std::min(budget(), **free_) : budget();
    return room > lanes_bytes ? room - lanes_bytes : 0;
  }

  std::uint64_t budget() const noexcept { return runtime_.environment.config.gpu_memory_budget_bytes; }

  RuntimeState& runtime_;
  const AdmissionSteps steps_;
  AdmittedSet set_;
  const FreeMemory free_;
  std::unique_ptr<Folder> golden_;
  const std::vector<EngineExpectation> expectations_;
  const std::size_t workers_;
  BufferPool pool_;
  std::vector<Slot> slots_;  ///< by index of the manifest
  bool has_room_ = true;     ///< for all of them
  std::atomic<std::size_t> first_refused_{std::numeric_limits<std::size_t>::max()};
};

}  // namespace

std::size_t loader_count(const Manifest& manifest, std::uint64_t budget_bytes, std::size_t cores) noexcept {
  std::uint64_t resident = 0;
  for (const ManifestArtifact& artifact : manifest.artifacts) resident += artifact.engine.size_bytes;
  const std::uint64_t copies =
      budget_bytes > resident ? (budget_bytes - resident) / largest_bytes(manifest) : 0;
  const std::uint64_t most =
      std::min<std::uint64_t>({cores, kMostLoaders, copies, manifest.artifacts.size()});
  return std::max<std::size_t>(static_cast<std::size_t>(most), 1);
}

Result<std::shared_ptr<EngineState>> admit_prepared(RuntimeState& runtime, const AdmissionSteps& steps,
                                                    PreparedEngine prepared, EngineLoadTimes& times) {
  times.verify_ns = prepared.verify_ns;
  SKUA_RETURN_IF_ERROR(prepared.status());
  return admit_engine(runtime, steps, *std::move(prepared.engine), *prepared.golden, times);
}

Result<LoadedSet> load_engines(RuntimeState& runtime, const AdmissionSteps& steps, bool uses_gpu,
                               AdmittedSet set) {
  const std::string place = set.folder->path().string();
  SetLoader loader(runtime, steps, uses_gpu, std::move(set));
  if (const Status opened = loader.open_golden(); !opened.ok()) {
    report_refusal(runtime, place, opened.error());
    return Error(opened.error());
  }
  loader.judge_memory();
  loader.run();
  return loader.finish();
}

}  // namespace skua
