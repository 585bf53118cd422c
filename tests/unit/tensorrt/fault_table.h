// The one table of errors: each code of CUDA and TensorRT and what it means, each step of an engine's life
// and what Skua answers when that step fails, and the few calls that may fail unnoticed, with the reason. The
// calls themselves are in no list: the SDK's control says which ones a step makes.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "runtimes/tensorrt/trt_errors.h"

namespace skua::test {

using tensorrt::FaultClass;

struct FaultCode {
  bool is_cuda;
  int code;
  FaultClass kind;
  bool is_sticky = false;  ///< every later call answers the same
};

constexpr FaultCode cuda(int code, FaultClass kind) { return {true, code, kind}; }
/// Ends the use of the device by this process.
constexpr FaultCode lasting(int code) { return {true, code, FaultClass::kDevice, true}; }
constexpr FaultCode tensorrt_code(int code, FaultClass kind) { return {false, code, kind}; }

// From the documentation of both, not from the table under test.
inline constexpr std::array kFaultCodes = {
    // that harm nothing but the call
    cuda(1, FaultClass::kFrame), cuda(701, FaultClass::kFrame), cuda(801, FaultClass::kFrame),
    cuda(2, FaultClass::kMemory),
    // kernels for another device, and the codes of a capture
    cuda(98, FaultClass::kContext), cuda(209, FaultClass::kContext), cuda(400, FaultClass::kContext),
    cuda(720, FaultClass::kContext), cuda(900, FaultClass::kContext), cuda(901, FaultClass::kContext),
    cuda(902, FaultClass::kContext), cuda(903, FaultClass::kContext), cuda(904, FaultClass::kContext),
    cuda(905, FaultClass::kContext), cuda(906, FaultClass::kContext), cuda(907, FaultClass::kContext),
    cuda(908, FaultClass::kContext), cuda(910, FaultClass::kContext),
    // "the process must be terminated and relaunched", and 214, after which no byte can be trusted
    lasting(214), lasting(226), lasting(700), lasting(702), lasting(710), lasting(714), lasting(715),
    lasting(716), lasting(717), lasting(718), lasting(719), lasting(721), lasting(810), lasting(911),
    // that a device which has worked before does not answer
    cuda(3, FaultClass::kDevice), cuda(4, FaultClass::kDevice), cuda(35, FaultClass::kDevice),
    cuda(46, FaultClass::kDevice), cuda(100, FaultClass::kDevice), cuda(101, FaultClass::kDevice),
    cuda(201, FaultClass::kDevice), cuda(709, FaultClass::kDevice), cuda(999, FaultClass::kDevice),
    // TensorRT's, from "without a reason" to one of a later release
    tensorrt_code(0, FaultClass::kFrame), tensorrt_code(1, FaultClass::kContext),
    tensorrt_code(2, FaultClass::kDevice), tensorrt_code(3, FaultClass::kFrame),
    tensorrt_code(4, FaultClass::kFrame), tensorrt_code(5, FaultClass::kMemory),
    tensorrt_code(6, FaultClass::kContext), tensorrt_code(7, FaultClass::kFrame),
    tensorrt_code(8, FaultClass::kFrame), tensorrt_code(9, FaultClass::kContext),
    tensorrt_code(10, FaultClass::kFrame), tensorrt_code(11, FaultClass::kContext)};

/// The steps of an engine's life, each with its own calls.
enum class Step {
  kDevice,
  kLoad,
  kFirstRun,
  kEnqueue,
  kGraph,
  kNewShape,
  kDynamicOutput,
  kNewContext,
  kFailed,
  kPolling,
  kLate,
  kEnd
};

struct StepRow {
  Step step;
  std::string_view name;
  ErrorCode code;
  Reason reason;
  Reason when_lost;
};

inline constexpr std::array kSteps = {
    StepRow{Step::kDevice, "OpeningTheDevice", ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable,
            Reason::kProviderNotAvailable},
    StepRow{Step::kLoad, "Loading", ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed,
            Reason::kDeviceLost},
    StepRow{Step::kFirstRun, "AFirstRunWithItsGraph", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kEnqueue, "ARunByEnqueue", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kGraph, "ARunByGraph", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kNewShape, "ARunAtANewShape", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kDynamicOutput, "ARunWhoseDataDecide", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kNewContext, "ARunInANewContext", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kFailed, "ARunThatFailsAnyway", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kPolling, "ARunByPolling", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kLate, "ALateLanesNextCall", ErrorCode::kInference, Reason::kExecutionFailed,
            Reason::kDeviceLost},
    StepRow{Step::kEnd, "TheEnd", ErrorCode::kInference, Reason::kExecutionFailed, Reason::kDeviceLost}};

constexpr const StepRow& row_of(Step step) { return kSteps[static_cast<std::size_t>(step)]; }

/// One error at one call.
struct FaultPair {
  Step step;
  std::string function;
  int nth;  ///< of the step's calls of it
  FaultCode code;
};

std::string trace_of(const FaultPair& pair);

/// Whether the step may succeed all the same.
bool is_survivable(const FaultPair& pair);

/// What the error means there.
FaultClass class_of(const FaultPair& pair);

}  // namespace skua::test
