// Names and texts of the CUDA errors that these libraries give by themselves or that tests order. Any other
// code of the header has its number for a name only in the real library; here it is unrecognised.
#pragma once

#include <cuda_runtime_api.h>

#include <array>

namespace sil {

struct ErrorName {
  cudaError_t error;
  const char* name;
  const char* text;
};

#define SKUA_SIL_ERROR(name, text) \
  ErrorName { name, #name, text }

inline constexpr std::array kErrorNames = {
    SKUA_SIL_ERROR(cudaSuccess, "no error"),
    SKUA_SIL_ERROR(cudaErrorInvalidValue, "invalid argument"),
    SKUA_SIL_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    SKUA_SIL_ERROR(cudaErrorInitializationError, "initialization error"),
    SKUA_SIL_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    SKUA_SIL_ERROR(cudaErrorInsufficientDriver,
                   "CUDA driver version is insufficient for CUDA runtime version"),
    SKUA_SIL_ERROR(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    SKUA_SIL_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    SKUA_SIL_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    SKUA_SIL_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    SKUA_SIL_ERROR(cudaErrorInvalidKernelImage, "device kernel image is invalid"),
    SKUA_SIL_ERROR(cudaErrorNoKernelImageForDevice,
                   "no kernel image is available for execution on the device"),
    SKUA_SIL_ERROR(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    SKUA_SIL_ERROR(cudaErrorOperatingSystem, "OS call failed or operation not supported on this OS"),
    SKUA_SIL_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    SKUA_SIL_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    SKUA_SIL_ERROR(cudaErrorNotReady, "device not ready"),
    SKUA_SIL_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    SKUA_SIL_ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    SKUA_SIL_ERROR(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    SKUA_SIL_ERROR(cudaErrorContextIsDestroyed, "context is destroyed"),
    SKUA_SIL_ERROR(cudaErrorAssert, "device-side assert triggered"),
    SKUA_SIL_ERROR(cudaErrorHostMemoryAlreadyRegistered,
                   "part or all of the requested memory range is mapped"),
    SKUA_SIL_ERROR(cudaErrorHostMemoryNotRegistered,
                   "pointer does not correspond to a registered memory region"),
    SKUA_SIL_ERROR(cudaErrorHardwareStackError, "hardware stack error"),
    SKUA_SIL_ERROR(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    SKUA_SIL_ERROR(cudaErrorMisalignedAddress, "misaligned address"),
    SKUA_SIL_ERROR(cudaErrorInvalidAddressSpace, "operation not supported on global/shared address space"),
    SKUA_SIL_ERROR(cudaErrorInvalidPc, "invalid program counter"),
    SKUA_SIL_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    SKUA_SIL_ERROR(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch"),
    SKUA_SIL_ERROR(cudaErrorNotPermitted, "operation not permitted"),
    SKUA_SIL_ERROR(cudaErrorNotSupported, "operation not supported"),
    SKUA_SIL_ERROR(cudaErrorSystemNotReady, "system not yet initialized"),
    SKUA_SIL_ERROR(cudaErrorSystemDriverMismatch,
                   "system has unsupported display driver / cuda driver combination"),
    SKUA_SIL_ERROR(cudaErrorMpsClientTerminated, "the MPS client was terminated"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureInvalidated, "the capture was invalidated by an earlier error"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureMerge, "two separate captures would be merged"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureUnmatched, "the capture was not begun in this stream"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureUnjoined, "captured work was not joined to the first stream"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureIsolation, "a dependency would cross the capture's boundary"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureImplicit,
                   "the call would depend on the default stream during a capture"),
    SKUA_SIL_ERROR(cudaErrorCapturedEvent, "the event was last recorded in a captured stream"),
    SKUA_SIL_ERROR(cudaErrorStreamCaptureWrongThread, "the capture was begun in another thread"),
    SKUA_SIL_ERROR(cudaErrorTimeout, "wait operation timed out"),
    SKUA_SIL_ERROR(cudaErrorGraphExecUpdateFailure, "the graph update was not performed"),
    SKUA_SIL_ERROR(cudaErrorExternalDevice, "an external device had an error"),
    SKUA_SIL_ERROR(cudaErrorUnknown, "unknown error"),
};

#undef SKUA_SIL_ERROR

}  // namespace sil
