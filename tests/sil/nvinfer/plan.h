// The file format of a serialised engine: a header, a table of two sections, the engine's description and the
// models that it runs, an end marker. Only sizes, tags, table and end marker are protected.
#pragma once

#include <NvInfer.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages.h"
#include "types.h"

namespace sil::infer {

struct PlanTensor {
  std::string name;
  std::string onnx_name;
  int onnx_type = 0;
  nvinfer1::DataType type = nvinfer1::DataType::kFLOAT;
  nvinfer1::Dims dims{};  ///< -1: decided by the inputs' shapes or by the run
  bool is_input = false;
  bool is_shape = false;
  bool is_data_dependent = false;
  std::int64_t max_elements = 0;  ///< of an output: never more
};

/// Of one input: min, opt, max.
struct PlanRange {
  std::string name;
  std::array<nvinfer1::Dims, 3> dims{};
  std::array<std::vector<std::int32_t>, 3> values;
};

struct PlanProfile {
  std::vector<PlanRange> ranges;
  std::int64_t device_bytes = 0;  ///< what a context needs

  const PlanRange* find(std::string_view name) const;
};

struct PlanPort {
  std::string name;
  nvinfer1::Dims dims{};
  std::string type;
};

struct PlanLayer {
  std::string name, op;
  std::vector<PlanPort> inputs, outputs;
};

struct Plan {
  std::string network_name;
  std::string device = "sil sm0";  ///< built on
  std::int64_t memory_budget = 0;  ///< the workspace limit
  bool is_refittable = false;
  std::int32_t aux_streams = 0;
  nvinfer1::ProfilingVerbosity verbosity = nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY;
  nvinfer1::HardwareCompatibilityLevel compatibility = nvinfer1::HardwareCompatibilityLevel::kNONE;
  std::vector<PlanTensor> tensors;    ///< inputs, then outputs
  std::vector<PlanProfile> profiles;  ///< at least one
  std::vector<PlanLayer> layers;
  std::string model;        ///< as it runs
  std::string shape_model;  ///< without its large weights: for inferring shapes
};

constexpr std::size_t kPlanHeaderBytes = 64;

std::string write_plan(const Plan& plan);
/// Of a plan whose frame is sound. False when the description makes no sense.
bool read_plan(std::string_view bytes, Plan& plan);

/// The checks of the frame, in the measured order. False with the error told.
bool check_frame(const ErrorSink& sink, std::string_view bytes);
/// The release that wrote the plan, from its header.
bool is_own_version(std::string_view bytes);

}  // namespace sil::infer
