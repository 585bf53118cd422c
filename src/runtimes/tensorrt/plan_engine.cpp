#include "runtimes/tensorrt/plan_engine.h"

#include <NvInfer.h>  // HardwareCompatibilityLevel

#include <algorithm>
#include <shared_mutex>

#include "runtimes/tensorrt/trt_logger.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

using nvinfer1::OptProfileSelector;

constexpr std::int32_t kProfile = 0;  // engines of ours have one

Error as_context(Error error, TrtContext context) {
  if (error.code != ErrorCode::kOutOfMemory) {
    error.code = context == TrtContext::kCompile ? ErrorCode::kEngineBuild : ErrorCode::kEngineDeserialize;
  }
  return error;
}

Error refused(TrtContext context, Reason reason, const std::string& what, const std::string& text) {
  return as_context(make_error(ErrorCode::kEngineDeserialize, reason,
                               what + ": " + text + "; compile it again on this host"),
                    context);
}

/// Whether a dimension is left to a profile.
bool is_open(const Shape& shape) { return !shape.is_static(); }

}  // namespace

PlanEngine::~PlanEngine() {
  const std::shared_lock gate(recording_gate());
  // TensorRT's destructors give memory back to the device.
  if (device_->is_lost()) abandon(std::move(objects_));
  objects_.reset();
}

Result<std::shared_ptr<PlanEngine>> PlanEngine::open(std::span<const std::byte> plan,
                                                     const std::shared_ptr<DeviceState>& device,
                                                     TrtContext context, const std::string& what) {
  if (device->is_lost()) return translate(context, device->meet_loss(), what, "the device is lost");
  return or_out_of_memory(what, [&]() -> Result<std::shared_ptr<PlanEngine>> {
    std::shared_ptr<PlanEngine> opened(new PlanEngine(device));
    static_cast<void>(cudaGetLastError());  // an earlier call's is no reason to refuse this plan
    const std::shared_lock gate(recording_gate());
    SKUA_RETURN_IF_ERROR(opened->create_runtime(context, what));
    SKUA_RETURN_IF_ERROR(opened->deserialize(plan, context, what));
    Status read = opened->check_flags(context, what);
    if (read.ok()) read = opened->read_facts(context, what);
    // A report alone is no refusal: TensorRT sends some beside right answers.
    if (read.ok()) return opened;
    const std::string reading = what + ": reading the plan back";
    return opened->graver(
        opened->recorder().first() ? translate(context, opened->recorder(), reading, "") : read.error(),
        context, reading, "");
  });
}

/// `otherwise`, unless our allocator had nothing to give or the device says more.
Error PlanEngine::graver(Error otherwise, TrtContext context, const std::string& what,
                         const std::string& log) const {
  const Fault asked = device_->heed(worse(allocator().last_refusal(), device_->ask(nullptr)));
  if (asked.kind != FaultClass::kDevice && asked.kind != FaultClass::kMemory) return otherwise;
  return translate(context, asked, what, describe(asked, recorder().text() + log));
}

Status PlanEngine::create_runtime(TrtContext context, const std::string& what) {
  const LogCapture log;
  const auto failed = [&]() -> Error {
    const std::string subject = what + ": TensorRT's runtime";
    return graver(translate(context, recorder(), subject, log.text()), context, subject, log.text());
  };
  objects_->runtime.reset(nvinfer1::createInferRuntime(process_logger()));
  nvinfer1::IRuntime* const runtime = objects_->runtime.get();
  if (runtime == nullptr) return failed();
  runtime->setErrorRecorder(&objects_->recorder);
  objects_->recorder.clear();
  runtime->setGpuAllocator(&objects_->allocator);
  // That call answers nothing; a report is all there is to judge it by.
  const bool is_ours = runtime->getErrorRecorder() == &objects_->recorder && !objects_->recorder.first();
  // A plan is an executable of whoever made it: nothing in it may run on the host, and nothing is unpacked
  // into files.
  runtime->setEngineHostCodeAllowed(false);
  runtime->setTempfileControlFlags(0);
  const bool is_closed = !runtime->getEngineHostCodeAllowed() && runtime->getTempfileControlFlags() == 0;
  if (is_ours && is_closed) return {};
  if (!is_ours || objects_->recorder.first()) return failed();
  return refused(context, Reason::kDeserializeFailed, what,
                 "expected TensorRT to refuse host code and temporary files, found that it does not");
}

Status PlanEngine::deserialize(std::span<const std::byte> plan, TrtContext context, const std::string& what) {
  if (plan.empty())
    return refused(context, Reason::kDeserializeFailed, what, "expected a plan, found no byte");
  const LogCapture log;
  objects_->engine.reset(objects_->runtime->deserializeCudaEngine(plan.data(), plan.size()));
  if (!objects_->engine)
    return graver(translate(context, recorder(), what, log.text()), context, what, log.text());
  if (!log.has_foreign_device_warning()) return {};
  return refused(context, Reason::kHostFactMismatch, what,
                 "TensorRT warns that the plan was made on another model of device");
}

Status PlanEngine::check_flags(TrtContext context, const std::string& what) const {
  const nvinfer1::ICudaEngine& plan = *objects_->engine;
  const auto refuse = [&](const std::string& text) {
    return refused(context, Reason::kContractMismatch, what, text);
  };
  if (plan.isRefittable()) return refuse("expected weights that cannot be changed, found a refittable plan");
  if (plan.getHardwareCompatibilityLevel() != nvinfer1::HardwareCompatibilityLevel::kNONE)
    return refuse("expected a plan for this kind of device alone, found one for several");
  if (plan.getEngineCapability() != nvinfer1::EngineCapability::kSTANDARD)
    return refuse("expected a plan of the standard capability, found a restricted one");
  return {};
}

Result<PlanTensor> PlanEngine::read_tensor(const char* name, bool is_input) const {
  const nvinfer1::ICudaEngine& plan = *objects_->engine;
  PlanTensor tensor;
  tensor.name = name;
  SKUA_ASSIGN_OR_RETURN(tensor.dtype, dtype_of(plan.getTensorDataType(name)));
  SKUA_ASSIGN_OR_RETURN(tensor.shape, shape_of(plan.getTensorShape(name)));
  tensor.is_host = plan.getTensorLocation(name) == nvinfer1::TensorLocation::kHOST;
  tensor.min = tensor.opt = tensor.max = tensor.shape;
  if (!is_input || !is_open(tensor.shape)) return tensor;
  const auto side = [&](OptProfileSelector select) {
    return shape_of(plan.getProfileShape(name, kProfile, select));
  };
  SKUA_ASSIGN_OR_RETURN(tensor.min, side(OptProfileSelector::kMIN));
  SKUA_ASSIGN_OR_RETURN(tensor.opt, side(OptProfileSelector::kOPT));
  SKUA_ASSIGN_OR_RETURN(tensor.max, side(OptProfileSelector::kMAX));
  return tensor;
}

Status PlanEngine::read_tensors(TrtContext context, const std::string& what) {
  const nvinfer1::ICudaEngine& plan = *objects_->engine;
  const std::int32_t tensors = plan.getNbIOTensors();
  if (tensors < 1)
    return refused(context, Reason::kContractMismatch, what, "expected inputs and outputs, found none");
  for (std::int32_t index = 0; index < tensors; ++index) {
    const char* const name = plan.getIOTensorName(index);
    if (name == nullptr)
      return refused(context, Reason::kContractMismatch, what, "an input or output has no name");
    const nvinfer1::TensorIOMode mode = plan.getTensorIOMode(name);
    if (mode == nvinfer1::TensorIOMode::kNONE)
      return refused(context, Reason::kContractMismatch, what,
                     "'" + std::string(name) + "' is listed, and neither an input nor an output");
    const bool is_input = mode == nvinfer1::TensorIOMode::kINPUT;
    auto tensor = read_tensor(name, is_input);
    if (!tensor.ok())
      return refused(context, Reason::kContractMismatch, what,
                     "'" + std::string(name) + "': " + tensor.error().message);
    if (plan.getTensorFormat(name) != nvinfer1::TensorFormat::kLINEAR)
      return refused(
          context, Reason::kContractMismatch, what,
          "'" + std::string(name) + "': expected linear memory, found " + plan.getTensorFormatDesc(name));
    (is_input ? facts_.inputs : facts_.outputs).push_back(*std::move(tensor));
  }
  return {};
}

Status PlanEngine::read_facts(TrtContext context, const std::string& what) {
  SKUA_RETURN_IF_ERROR(read_tensors(context, what));
  const nvinfer1::ICudaEngine& plan = *objects_->engine;
  const std::int64_t bytes = plan.getDeviceMemorySizeV2();
  if (bytes < 0) return translate(context, objects_->recorder, what + ": device memory", "");
  facts_.device_memory_bytes = static_cast<std::uint64_t>(bytes);
  facts_.profiles = plan.getNbOptimizationProfiles();
  if (facts_.profiles != 1)
    return refused(context, Reason::kContractMismatch, what,
                   "expected one optimisation profile, found " + std::to_string(facts_.profiles));
  facts_.layers = plan.getNbLayers();
  facts_.auxiliary_streams = plan.getNbAuxStreams();
  const char* const name = plan.getName();
  facts_.name = name == nullptr ? "" : name;
  return {};
}

std::unique_ptr<nvinfer1::IExecutionContext> PlanEngine::make_context(ErrorRecorder& into) noexcept {
  const std::lock_guard lock(contexts_);
  Objects& objects = *objects_;
  objects.recorder.clear();
  const ContextMemoryScope for_context;
  constexpr auto kStrategy = nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED;
  std::unique_ptr<nvinfer1::IExecutionContext> context(objects.engine->createExecutionContext(kStrategy));
  if (context) {
    context->setErrorRecorder(&into);
  } else if (const auto told = objects.recorder.first()) {
    into.reportError(*told, objects.recorder.getErrorDesc(0));
  }
  objects.recorder.clear();
  return context;
}

void PlanEngine::end_context(std::unique_ptr<nvinfer1::IExecutionContext>& context) noexcept {
  const std::lock_guard lock(contexts_);
  context.reset();
}

Status check_plan(const PlanFacts& facts, const EngineRecord& record) {
  const auto differs = [&record](const std::string& what, const std::string& expected,
                                 const std::string& found) {
    return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                      record.file + ": " + what + ": expected " + expected + ", found " + found +
                          "; the engine is not what its record says: compile it again");
  };
  // More is not in the budget; less would let the context write beyond what it is given.
  if (facts.device_memory_bytes != record.device_memory_bytes) {
    return differs("device memory of one lane", std::to_string(record.device_memory_bytes),
                   std::to_string(facts.device_memory_bytes));
  }
  // A lane has one stream; work on others would not be waited for with its memory.
  if (facts.auxiliary_streams != 0)
    return differs("auxiliary streams", "none", std::to_string(facts.auxiliary_streams));
  for (const PlanTensor& input : facts.inputs) {
    if (input.is_host) return differs("memory of input '" + input.name + "'", "the device's", "the host's");
  }
  for (const OptimizationProfile& profile : record.profiles) {
    const auto found = std::find_if(facts.inputs.begin(), facts.inputs.end(), [&](const PlanTensor& tensor) {
      return tensor.name == profile.input_name;
    });
    if (found == facts.inputs.end()) return differs("profile", "input '" + profile.input_name + "'", "none");
    // A static input has no profile of its own; a recorded one with equal ends says the same.
    const auto text = [](const Shape& min, const Shape& opt, const Shape& max) {
      return min.to_string() + ":" + opt.to_string() + ":" + max.to_string();
    };
    const std::string expected = text(profile.min, profile.opt, profile.max);
    const std::string really = text(found->min, found->opt, found->max);
    if (expected != really) return differs("profile of '" + profile.input_name + "'", expected, really);
  }
  return {};
}

}  // namespace skua::tensorrt
