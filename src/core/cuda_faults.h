// Which CUDA errors end the use of the device in this process. The SDKs above CUDA report them as text: the
// interpreter of libtorch drops the exception's class and with it the number, ONNX Runtime never had one.
#pragma once

#include <string_view>

namespace skua {

/// The CUDA runtime's number of the error in an SDK's `text` when no later call in this process can succeed,
/// e.g. 700 (an illegal memory access); 0 for every other text. Knows libtorch's "CUDA error: ..." with and
/// without the name that newer releases add, and ONNX Runtime's "CUDA failure 700: ...". Does not allocate.
int lost_device_code(std::string_view text) noexcept;

}  // namespace skua
