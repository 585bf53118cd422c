#include "core/cuda_faults.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace skua {
namespace {

struct Fault {
  int code;
  std::string_view name;  ///< the enumerator
  std::string_view text;  ///< as cudaGetErrorString has it; empty: not known, then the name decides
};

// NVIDIA's header says of most of these that "the process must be terminated and relaunched". It does not of
// 46, 100, 214, 709 and 999. They are here because they are answers to a run on a device that has passed its
// golden runs: it is gone, or nothing it computes can be trusted. A restart too many costs one take-off; a
// restart that never comes costs the rest of the flight.
constexpr std::array kFaults = {
    Fault{46, "cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"},
    Fault{100, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    Fault{214, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    Fault{226, "cudaErrorContained", ""},
    Fault{700, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    Fault{702, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    Fault{709, "cudaErrorContextIsDestroyed", "context is destroyed"},
    Fault{710, "cudaErrorAssert", "device-side assert triggered"},
    Fault{714, "cudaErrorHardwareStackError", "hardware stack error"},
    Fault{715, "cudaErrorIllegalInstruction", "an illegal instruction was encountered"},
    Fault{716, "cudaErrorMisalignedAddress", "misaligned address"},
    Fault{717, "cudaErrorInvalidAddressSpace", "operation not supported on global/shared address space"},
    Fault{718, "cudaErrorInvalidPc", "invalid program counter"},
    Fault{719, "cudaErrorLaunchFailure", "unspecified launch failure"},
    Fault{721, "cudaErrorTensorMemoryLeak", ""},
    Fault{810, "cudaErrorMpsClientTerminated", ""},
    Fault{911, "cudaErrorExternalDevice", ""},
    Fault{999, "cudaErrorUnknown", "unknown error"},
};

constexpr std::string_view kErrorName = "cudaError";
constexpr std::string_view kTorchError = "CUDA error: ";
constexpr std::string_view kOrtFailure = "CUDA failure ";

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The code of the fault that `is_it` says of, or 0.
template <typename Predicate>
int code_where(Predicate is_it) noexcept {
  const auto* const found = std::find_if(kFaults.begin(), kFaults.end(), is_it);
  return found == kFaults.end() ? 0 : found->code;
}

int code_of_name(std::string_view rest) noexcept {
  const auto* const end = std::find_if_not(rest.begin(), rest.end(), is_word);
  const std::string_view name = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  return code_where([name](const Fault& fault) { return fault.name == name; });
}

int code_of_text(std::string_view rest) noexcept {
  rest.remove_prefix(kTorchError.size());
  return code_where(
      [rest](const Fault& fault) { return !fault.text.empty() && rest.rfind(fault.text, 0) == 0; });
}

int code_of_number(std::string_view rest) noexcept {
  rest.remove_prefix(kOrtFailure.size());
  int code = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), code);
  return code_where([code](const Fault& fault) { return fault.code == code; });
}

/// Asks `code_of` at every place where `mark` begins; an error may quote another one.
template <typename CodeOf>
int first_code(std::string_view text, std::string_view mark, CodeOf code_of) noexcept {
  for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    if (const int code = code_of(text.substr(at)); code != 0) return code;
  }
  return 0;
}

}  // namespace

int lost_device_code(std::string_view text) noexcept {
  if (const int code = first_code(text, kTorchError, code_of_text); code != 0) return code;
  if (const int code = first_code(text, kErrorName, code_of_name); code != 0) return code;
  return first_code(text, kOrtFailure, code_of_number);
}

}  // namespace skua
