// Bytes on the host that the caller owns.
#pragma once

#include <string>

#include "messages.h"

namespace sil::infer {

class HostMemory final : public nvinfer1::IHostMemory {
 public:
  explicit HostMemory(std::string bytes) : bytes_(std::move(bytes)) {}
  void* data() const noexcept override {
    SIL_ENTER("IHostMemory::data", nullptr);
    return const_cast<char*>(bytes_.data());
  }
  std::size_t size() const noexcept override {
    SIL_ENTER("IHostMemory::size", 0);
    return bytes_.size();
  }
  nvinfer1::DataType type() const noexcept override { return nvinfer1::DataType::kINT8; }

 private:
  std::string bytes_;
};

}  // namespace sil::infer
