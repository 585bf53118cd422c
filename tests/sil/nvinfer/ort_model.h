// ONNX Runtime on the CPU: what really computes. The library is opened from the path fixed at configure time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sil::infer {

struct OrtTensorType {
  std::string name;
  int onnx_type = 0;               ///< 0: no dense tensor
  std::vector<std::int64_t> dims;  ///< -1: decided at run time
};

/// One tensor of a run: memory of the caller's.
struct OrtBuffer {
  std::string name;
  int onnx_type = 0;
  std::vector<std::int64_t> dims;
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// A result that ONNX Runtime allocated.
struct OrtResult {
  int onnx_type = 0;
  std::vector<std::int64_t> dims;
  std::string bytes;
};

enum class OrtLevel { kDisabled, kBasic, kExtended, kAll };

class OrtModel {
 public:
  /// nullptr with the reason in `error`.
  static std::unique_ptr<OrtModel> open(std::string_view model, OrtLevel level, std::string& error);
  virtual ~OrtModel() = default;
  virtual std::vector<OrtTensorType> inputs() const = 0;
  virtual std::vector<OrtTensorType> outputs() const = 0;
  /// Runs once; may be called from several threads. Outputs in `placed` are written where they say; those in
  /// `wanted` are given back. "" or what went wrong.
  virtual std::string run(const std::vector<OrtBuffer>& inputs, const std::vector<OrtBuffer>& placed,
                          const std::vector<std::string>& wanted, std::vector<OrtResult>& results) = 0;
};

/// The model as ONNX Runtime's optimiser leaves it at `level`; empty with the reason in `error`.
std::string optimised_model(std::string_view model, OrtLevel level, std::string& error);

}  // namespace sil::infer
