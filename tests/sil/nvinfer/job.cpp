#include "job.h"

#include <atomic>
#include <cstring>
#include <deque>

namespace sil::infer {
namespace {

constexpr unsigned char kPoison = 0xA5;

// Who runs in a block of scratch memory. Two at the same time spoil each other's results, as on a device.
class ScratchUse {
 public:
  explicit ScratchUse(void* scratch) : place_(static_cast<std::uint64_t*>(scratch)), ticket_(++last_ticket) {
    if (place_ != nullptr) std::atomic_ref<std::uint64_t>(*place_).store(ticket_);
  }
  bool is_spoilt() const {
    return place_ != nullptr && std::atomic_ref<std::uint64_t>(*place_).load() != ticket_;
  }

 private:
  static std::atomic<std::uint64_t> last_ticket;
  std::uint64_t* place_;
  std::uint64_t ticket_;
};
std::atomic<std::uint64_t> ScratchUse::last_ticket{0};

template <typename To, typename From>
std::string converted(const void* data, std::size_t count) {
  std::string bytes(count * sizeof(To), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, static_cast<const char*>(data) + i * sizeof value, sizeof value);
    const To result = static_cast<To>(value);
    std::memcpy(bytes.data() + i * sizeof result, &result, sizeof result);
  }
  return bytes;
}

/// The memory of one run that is not the caller's.
struct Staging {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::deque<std::string> left_out;
  char nothing[8] = {};  // where an empty tensor is
};

bool add_input(const JobTensor& tensor, Staging& staging, std::vector<OrtBuffer>& buffers) {
  OrtBuffer buffer{tensor.onnx_name, tensor.onnx_type, tensor.dims, staging.nothing, tensor.bytes};
  if (!tensor.host_bytes.empty()) {
    buffer.data = const_cast<char*>(tensor.host_bytes.data());
  } else if (tensor.bytes > 0) {
    buffer.data = sil::host_view(tensor.address, tensor.bytes);
  }
  if (buffer.data == nullptr) return false;
  if (tensor.is_converted) {
    std::string& wide =
        staging.inputs.emplace_back(converted<double, float>(buffer.data, tensor.bytes / sizeof(float)));
    buffer.data = wide.data();
    buffer.bytes = wide.size();
  }
  buffers.push_back(std::move(buffer));
  return true;
}

bool add_output(const JobTensor& tensor, Staging& staging, std::vector<OrtBuffer>& buffers) {
  OrtBuffer buffer{tensor.onnx_name, tensor.onnx_type, tensor.dims, staging.nothing, tensor.bytes};
  if (tensor.bytes > 0) buffer.data = sil::host_view(tensor.address, tensor.bytes);
  if (buffer.data == nullptr) return false;
  if (tensor.is_left_out) {
    buffer.data = staging.left_out.emplace_back(tensor.bytes, '\0').data();
  } else if (tensor.is_converted) {
    std::string& wide = staging.outputs.emplace_back(tensor.bytes * 2, '\0');
    buffer.data = wide.data();
    buffer.bytes = wide.size();
  }
  buffers.push_back(std::move(buffer));
  return true;
}

/// An input that is an output too: ONNX Runtime would hand the input back, not copy it.
const JobTensor* source_of(const Job& job, const JobTensor& output) {
  for (const JobTensor& input : job.inputs) {
    if (input.onnx_name == output.onnx_name) return &input;
  }
  return nullptr;
}

bool copy_input(const JobTensor& input, const JobTensor& output) {
  if (output.bytes == 0) return true;
  const bool is_host = !input.host_bytes.empty();
  const void* const from = is_host ? input.host_bytes.data() : sil::host_view(input.address, input.bytes);
  void* const to = sil::host_view(output.address, output.bytes);
  if (from == nullptr || to == nullptr) return false;
  std::memcpy(to, from, output.bytes);
  return true;
}

/// What a run reads is its context's and its engine's: it faults without them, at whatever time they go.
bool may_run(const Job& job) { return *job.has_context && job.core->has_engine; }

void finish_outputs(const Job& job, const Staging& staging, bool is_spoilt) {
  std::size_t wide = 0;
  for (const JobTensor& tensor : job.outputs) {
    if (tensor.is_data_dependent || tensor.is_left_out || tensor.bytes == 0 ||
        source_of(job, tensor) != nullptr)
      continue;
    void* const memory = sil::host_view(tensor.address, tensor.bytes);
    if (tensor.is_converted) {
      const std::string& from = staging.outputs[wide++];
      const std::string narrow = converted<float, double>(from.data(), from.size() / sizeof(double));
      if (memory != nullptr) std::memcpy(memory, narrow.data(), tensor.bytes);
    }
    if (is_spoilt && memory != nullptr) std::memset(memory, kPoison, tensor.bytes);
  }
}

}  // namespace

cudaError_t run_job(Job& job) {
  if (!may_run(job)) return cudaErrorIllegalAddress;
  Staging staging;
  staging.inputs.reserve(job.inputs.size());  // their addresses are kept
  staging.outputs.reserve(job.outputs.size());
  std::vector<OrtBuffer> inputs, outputs;
  std::vector<std::string> wanted;
  void* const scratch = job.scratch_bytes == 0 ? nullptr : sil::host_view(job.scratch, job.scratch_bytes);
  if (job.scratch_bytes > 0 && scratch == nullptr) return cudaErrorIllegalAddress;
  for (const JobTensor& tensor : job.inputs) {
    if (!add_input(tensor, staging, inputs)) return cudaErrorIllegalAddress;
  }
  for (const JobTensor& tensor : job.outputs) {
    if (tensor.is_data_dependent) {
      wanted.push_back(tensor.onnx_name);
    } else if (const JobTensor* const source = source_of(job, tensor)) {
      if (!copy_input(*source, tensor)) return cudaErrorIllegalAddress;
    } else if (!add_output(tensor, staging, outputs)) {
      return cudaErrorIllegalAddress;
    }
  }
  job.results.clear();
  const ScratchUse use(scratch);
  if (!job.core->model->run(inputs, outputs, wanted, job.results).empty()) return cudaErrorLaunchFailure;
  finish_outputs(job, staging, use.is_spoilt());
  return may_run(job) ? cudaSuccess : cudaErrorIllegalAddress;
}

cudaError_t place_result(const OrtResult& result, void* address, std::uint64_t capacity) {
  if (result.bytes.empty()) return cudaSuccess;
  const std::size_t bytes = result.bytes.size();
  void* const memory = bytes > capacity ? nullptr : sil::host_view(address, bytes);
  if (memory == nullptr) return cudaErrorIllegalAddress;
  std::memcpy(memory, result.bytes.data(), bytes);
  return cudaSuccess;
}

}  // namespace sil::infer
