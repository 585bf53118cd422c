// One execution as it lies on a stream: everything by value, for the caller may change the context meanwhile
// and a graph may launch it again.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine.h"

namespace sil::infer {

struct JobTensor {
  std::string onnx_name;
  int onnx_type = 0;
  std::vector<std::int64_t> dims;
  void* address = nullptr;    ///< on the device
  std::uint64_t bytes = 0;    ///< there
  std::string host_bytes;     ///< of a shape input, instead of an address
  bool is_converted = false;  ///< float outside, double inside
  bool is_data_dependent = false;
  bool is_left_out = false;  ///< a test wants it not written
};

struct Job {
  std::shared_ptr<EngineCore> core;
  std::shared_ptr<const std::atomic<bool>> has_context;  ///< false once it is destroyed
  std::vector<JobTensor> inputs, outputs;
  void* scratch = nullptr;
  std::uint64_t scratch_bytes = 0;
  std::vector<OrtResult> results;  ///< of the data-dependent outputs, in their order
};

/// Runs on the stream's thread.
cudaError_t run_job(Job& job);

/// Copies a data-dependent result to where the caller wants it; on the stream's thread as well.
cudaError_t place_result(const OrtResult& result, void* address, std::uint64_t capacity);

}  // namespace sil::infer
