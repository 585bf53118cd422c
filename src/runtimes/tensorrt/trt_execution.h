// One lane's execution of one plan. A run launches (a graph, or enqueueV3 between the copies), waits, and
// collects. One that was not waited for leaves its lane busy until the device is done with it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "inference/strategy.h"
#include "runtimes/tensorrt/io_memory.h"
#include "runtimes/tensorrt/lane_graph.h"
#include "runtimes/tensorrt/lane_wait.h"
#include "runtimes/tensorrt/output_allocator.h"
#include "runtimes/tensorrt/plan_engine.h"

namespace skua::tensorrt {

/// How this runtime's lanes run.
struct LaneSettings {
  WaitMode wait = WaitMode::kPoll;
  bool uses_graphs = true;
  bool records_before_warm_up = true;  ///< false: a run before warm_up makes no graph
  IoPolicy io;
  const Clock* clock = nullptr;                   ///< outlives every run
  const Clock* farewell_clock = &system_clock();  ///< outlives every lane
};

class TrtExecution final : public Execution {
 public:
  TrtExecution(std::shared_ptr<PlanEngine> plan, const LaneSettings& settings);
  ~TrtExecution() override;

  /// Takes all memory and makes the context. Call once.
  Status place(const EngineRecord& record);

  TensorView input(std::size_t index) const noexcept override { return lane_->inputs[index].view; }
  TensorView output(std::size_t index) const noexcept override { return lane_->outputs[index].view; }
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  Status run(std::optional<std::int64_t> deadline_ns) noexcept override;
  /// The device does work of its own in a shape's first run. Ends with the graph of the shape it leaves.
  Status warm_up(const EngineRecord& record) override;

  /// Why runs are enqueued and not launched as a graph; empty where they are, or before the first run.
  std::string_view graph_reason() const noexcept { return lane_->graph.reason(); }
  bool has_graph() const noexcept { return lane_->graph.is_ready(); }

 private:
  struct OutputSlot : IoSlot {
    std::unique_ptr<ReservedOutput> reserved;  ///< of an output whose shape the run decides
  };
  // What the device may still be using when the execution goes. In the order in which they must outlive each
  // other.
  struct Lane {
    std::shared_ptr<PlanEngine> plan;
    ErrorRecorder recorder;
    std::unique_ptr<TemporaryMemory> temporary;
    CudaMemory scratch;
    std::vector<IoSlot> inputs;
    std::vector<OutputSlot> outputs;
    Stream stream;
    CudaEvent done;
    std::unique_ptr<nvinfer1::IExecutionContext> context;
    LaneGraph graph;
  };

  // Placing (trt_placement.cpp).
  Status place_memory(const EngineRecord& record);
  Status make_context(const std::string& what);
  Status bind_all(const std::string& what);
  bool configure_context() noexcept;
  bool bind_addresses() noexcept;
  Status find_dynamic_outputs(const std::string& what);
  Error refused(const ErrorRecorder& recorder, const std::string& what, std::string_view log) const;

  // Running (trt_execution.cpp).
  void begin_call() noexcept;
  Fault told_by_tensorrt() const noexcept;
  Error lost() noexcept { return translate_hot(device().meet_loss()); }
  bool has_result() const noexcept;
  Status catch_up() noexcept;
  bool is_late() const noexcept;
  Status rebuild() noexcept;
  Status warm_up_sides(const EngineRecord& record);
  Status check_warm() const;
  Status settle_shapes() noexcept;
  cudaError_t enqueue() noexcept;
  cudaError_t launch_graph() noexcept;
  Status launch_and_wait() noexcept;
  Status wait() noexcept;
  Status collect() noexcept;
  Status fail(cudaError_t reported) noexcept;
  void settle_stream() noexcept;
  bool has_overflowed() const noexcept;
  void hide_outputs() noexcept;
  void show_outputs() noexcept;

  // Graphs (trt_graphs.cpp).
  bool wants_graph() noexcept;
  Status make_graph() noexcept;
  Status forgo_graph(cudaError_t captured) noexcept;
  void drop_graph() noexcept { device().take(lane_->graph.drop()); }
  void forget_graph_reason() noexcept;
  Status check_graph(const std::vector<std::vector<std::byte>>& expected) noexcept;
  cudaError_t spoil_memory(const std::vector<std::vector<std::byte>>& expected) noexcept;
  bool restore_outputs(const std::vector<std::vector<std::byte>>& expected) noexcept;
  void rule_out_graph(std::string_view reason) noexcept;
  void note_graph_reason() const noexcept;

  DeviceState& device() const noexcept { return *lane_->plan->device(); }

  std::shared_ptr<Lane> lane_;
  LaneSettings settings_;
  std::shared_ptr<GraphNote> note_;          ///< from placing on
  std::optional<std::int64_t> deadline_ns_;  ///< of the run in progress
  bool is_behind_ = false;                   ///< the device may still be at work for an earlier run
  bool needs_context_ = false;               ///< the context cannot be used any more
  bool is_context_new_ = false;              ///< no run of it has ended well yet
  bool are_shapes_settled_ = false;
  bool may_record_;
  std::uint64_t engine_refusals_ = 0, lane_refusals_ = 0;  ///< when the call in progress began
  bool was_short_of_memory_ = false;                       ///< the last run that ended lacked memory
  bool has_dynamic_outputs_ = false;
  bool was_refused_ = false;  ///< the last enqueue failed in TensorRT, not in CUDA
};

}  // namespace skua::tensorrt
