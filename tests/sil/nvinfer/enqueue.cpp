// Putting a run on a stream.
#include <algorithm>
#include <cstring>

#include "context.h"
#include "sil/control/settings.h"

namespace sil::infer {
namespace {

constexpr const char* kEnqueue = "IExecutionContext::enqueueV3";
constexpr std::uint64_t kAlignment = 256;

}  // namespace

bool Context::may_capture() const {
  const char* reason = nullptr;
  if (core_->has_data_dependent_output()) {
    reason = "an output's size depends on data: the run waits for the device, which a capture forbids";
  } else if (!has_run_) {
    reason = "shapes or profile changed since the last run outside of a capture";
  } else {
    return true;
  }
  // What the real library tries then is forbidden in a capture and spoils it.
  const cudaError_t refused = sil::refuse_in_capture();
  sink_.cuda_error(kEnqueue, refused == cudaSuccess ? cudaErrorStreamCaptureUnsupported : refused);
  return fails(10, kEnqueue, reason);
}

bool Context::may_enqueue(cudaStream_t stream) const {
  cudaError_t lost = cudaSuccess;
  if (sil::is_device_lost(lost)) {
    sink_.cuda_error(kEnqueue, lost);
    return false;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const PlanTensor& tensor = planned(i);
    if (tensor.is_input && is_missing(i)) {
      return fails(3, kEnqueue, "nobody has given the shape of " + tensor.name);
    }
    if (slots_[i].address == nullptr && (tensor.is_input || slots_[i].allocator == nullptr)) {
      return fails(3, kEnqueue,
                   "nobody has given an address for " + std::string(tensor.is_input ? "input " : "output ") +
                       tensor.name);
    }
  }
  if (!are_shape_values_valid()) return fails(3, kEnqueue, "shape tensors lie outside of the profile");
  if (memory_bytes_ < needed_bytes() || (memory_ == nullptr && needed_bytes() > 0)) {
    return fails(3, kEnqueue, "Parameter check failed, condition: device memory was set");
  }
  return !sil::is_capturing(stream) || may_capture();
}

JobTensor Context::input_of(std::size_t index) const {
  const PlanTensor& tensor = planned(index);
  JobTensor input;
  input.onnx_name = tensor.onnx_name;
  input.onnx_type = tensor.onnx_type;
  input.dims = vector_of(slots_[index].dims);
  input.address = slots_[index].address;
  input.bytes = static_cast<std::uint64_t>(volume_of(slots_[index].dims) * bytes_of(tensor.type));
  input.is_converted = tensor.onnx_type == kOnnxDouble;
  if (tensor.is_shape) input.host_bytes.assign(static_cast<const char*>(input.address), input.bytes);
  return input;
}

bool Context::fill_output(std::size_t index, const ShapeTable& shapes, cudaStream_t stream,
                          JobTensor& output) {
  const PlanTensor& tensor = planned(index);
  Slot& slot = slots_[index];
  const nvinfer1::Dims dims = dims_of(shapes.at(tensor.onnx_name));
  output.onnx_name = tensor.onnx_name;
  output.onnx_type = tensor.onnx_type;
  output.dims = vector_of(dims);
  output.is_converted = tensor.onnx_type == kOnnxDouble;
  output.is_data_dependent = !is_static(dims);
  output.bytes = static_cast<std::uint64_t>(bytes_of(tensor.type)) *
                 static_cast<std::uint64_t>(output.is_data_dependent ? tensor.max_elements : volume_of(dims));
  if (slot.allocator != nullptr && !output.is_data_dependent) {
    slot.address = slot.allocator->reallocateOutputAsync(
        tensor.name.c_str(), slot.address, std::max<std::uint64_t>(output.bytes, 1), kAlignment, stream);
    if (slot.address == nullptr)
      return fails(3, kEnqueue, "The output allocator gave nothing for " + tensor.name);
    slot.allocator->notifyShape(tensor.name.c_str(), dims);
  }
  output.address = slot.address;
  return true;
}

bool Context::fill_job(Job& job, cudaStream_t stream) {
  ShapeTable shapes;
  if (!infer_outputs(shapes)) return false;
  job.core = core_;
  job.has_context = is_there_;
  job.scratch = memory_;
  job.scratch_bytes = needed_bytes();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (planned(i).is_input) {
      job.inputs.push_back(input_of(i));
    } else if (!fill_output(i, shapes, stream, job.outputs.emplace_back())) {
      return false;
    }
  }
  return true;
}

// The first run of a shape may take memory of the engine's, as much as the greatest run so far needs.
bool Context::take_run_memory(const Job& job, cudaStream_t stream) {
  std::uint64_t bytes = kAlignment;
  for (const JobTensor& tensor : job.outputs) bytes += tensor.bytes;
  if (bytes <= run_memory_.bytes()) return true;
  return DeviceBlock::make(sink_, kEnqueue, core_->allocator, bytes, stream, run_memory_);
}

bool Context::put_on_stream(cudaStream_t stream, std::function<cudaError_t()> work) {
  const cudaError_t status = sil::enqueue(stream, std::move(work));
  if (status != cudaSuccess) sink_.cuda_error(kEnqueue, status);
  return status == cudaSuccess;
}

// Sizes are known once the device is through: the caller waits, is asked for memory, and the data follow.
bool Context::deliver_results(const std::shared_ptr<Job>& job, cudaStream_t stream) {
  const cudaError_t status = cudaStreamSynchronize(stream);
  if (status != cudaSuccess) {
    sink_.cuda_error(kEnqueue, status);
    return false;
  }
  std::size_t next = 0;
  for (std::size_t i = 0, output = 0; i < slots_.size(); ++i) {
    if (planned(i).is_input) continue;
    const JobTensor& tensor = job->outputs[output++];
    if (!tensor.is_data_dependent) continue;
    if (next >= job->results.size()) return fails(2, kEnqueue, "the run gave no result");
    const std::size_t result = next++;
    const std::uint64_t bytes = std::max<std::uint64_t>(job->results[result].bytes.size(), 1);
    Slot& slot = slots_[i];
    std::uint64_t capacity = tensor.bytes;
    if (slot.allocator != nullptr) {
      const char* const name = planned(i).name.c_str();
      void* const memory =
          slot.allocator->reallocateOutputAsync(name, slot.address, bytes, kAlignment, stream);
      if (memory == nullptr)
        return fails(3, kEnqueue, "The output allocator gave nothing for " + planned(i).name);
      slot.allocator->notifyShape(name, dims_of(job->results[result].dims));
      slot.address = memory;
      capacity = bytes;
    }
    const auto place = [job, result, address = slot.address, capacity] {
      return place_result(job->results[result], address, capacity);
    };
    if (!put_on_stream(stream, place)) return false;
  }
  return true;
}

bool Context::enqueueV3(cudaStream_t stream) noexcept {
  SIL_ENTER_TELLING(sink_, kEnqueue, false);
  if (!may_enqueue(stream)) return false;
  const bool is_capturing = sil::is_capturing(stream);
  DeviceBlock temporary;
  if (core_->has_data_dependent_output() &&
      !DeviceBlock::make(sink_, kEnqueue, temporary_, kAlignment, stream, temporary)) {
    return false;
  }
  const auto job = std::make_shared<Job>();
  if (!fill_job(*job, stream) || !take_run_memory(*job, stream)) return false;
  const Omission omission = is_capturing ? sil::settings().omission.load() : Omission::nothing;
  if (omission == Omission::last_output) job->outputs.back().is_left_out = true;
  if (omission != Omission::work && !put_on_stream(stream, [job] { return run_job(*job); })) return false;
  if (consumed_ != nullptr) {
    const cudaError_t status = cudaEventRecord(consumed_, stream);
    if (status != cudaSuccess) {
      sink_.cuda_error(kEnqueue, status);
      return false;
    }
  }
  has_run_ = has_run_ || !is_capturing;
  const bool has_results = std::any_of(job->outputs.begin(), job->outputs.end(),
                                       [](const JobTensor& output) { return output.is_data_dependent; });
  return !has_results || deliver_results(job, stream);
}

}  // namespace sil::infer
