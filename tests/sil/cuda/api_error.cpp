// Errors: names, texts, and the thread's last one.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>

#include "sil/cuda/call.h"
#include "sil/cuda/error_names.h"

namespace {

constexpr const char* kUnknownCode = "unrecognized error code";

const sil::ErrorName* find(cudaError_t error) {
  const auto* const found =
      std::find_if(sil::kErrorNames.begin(), sil::kErrorNames.end(),
                   [error](const sil::ErrorName& known) { return known.error == error; });
  return found == sil::kErrorNames.end() ? nullptr : found;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  const sil::ErrorName* const known = find(error);
  return known == nullptr ? kUnknownCode : known->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const sil::ErrorName* const known = find(error);
  return known == nullptr ? kUnknownCode : known->text;
}

cudaError_t cudaGetLastError() { return sil::last_error("cudaGetLastError", true); }

cudaError_t cudaPeekAtLastError() { return sil::last_error("cudaPeekAtLastError", false); }
