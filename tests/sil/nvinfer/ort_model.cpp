#include "ort_model.h"

#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "onnx_graph.h"

namespace sil::infer {
namespace {

struct Library {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  OrtStatus* (*append_cpu)(OrtSessionOptions*, int) = nullptr;
  std::string error;
};

// This library must not print either.
void drop_log(void*, OrtLoggingLevel, const char*, const char*, const char*, const char*) {}

Library open_library() {
  Library library;
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  void* handle = dlopen(SIL_ONNXRUNTIME_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    library.error = dlerror();
    return library;
  }
  using GetBase = const OrtApiBase* (*)();
  const auto base = reinterpret_cast<GetBase>(dlsym(handle, "OrtGetApiBase"));
  library.append_cpu = reinterpret_cast<decltype(library.append_cpu)>(
      dlsym(handle, "OrtSessionOptionsAppendExecutionProvider_CPU"));
  library.api = base != nullptr ? base()->GetApi(ORT_API_VERSION) : nullptr;
  if (library.api == nullptr || library.append_cpu == nullptr) {
    library.api = nullptr;
    library.error = "not an ONNX Runtime of the expected release";
    return library;
  }
  OrtStatus* status =
      library.api->CreateEnvWithCustomLogger(drop_log, nullptr, ORT_LOGGING_LEVEL_ERROR, "sil", &library.env);
  if (status != nullptr) library.error = library.api->GetErrorMessage(status);
  return library;
}

// One for the process and never closed: ONNX Runtime keeps threads of its own.
const Library& library() {
  static const Library* const opened = new Library(open_library());
  return *opened;
}

std::string text_of(OrtStatus* status) {
  if (status == nullptr) return "";
  std::string text = library().api->GetErrorMessage(status);
  library().api->ReleaseStatus(status);
  return text.empty() ? "ONNX Runtime failed" : text;
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

Owned<OrtSessionOptions> make_options(OrtLevel level, const std::string& save_to, std::string& error) {
  constexpr GraphOptimizationLevel kLevels[] = {ORT_DISABLE_ALL, ORT_ENABLE_BASIC, ORT_ENABLE_EXTENDED,
                                                ORT_ENABLE_ALL};
  const OrtApi& api = *library().api;
  OrtSessionOptions* raw = nullptr;
  error = text_of(api.CreateSessionOptions(&raw));
  Owned<OrtSessionOptions> options(raw, api.ReleaseSessionOptions);
  const auto set = [&error](OrtStatus* status) {
    if (const std::string text = text_of(status); error.empty()) error = text;
  };
  if (raw == nullptr) return options;
  // The same as Skua's own ONNX strategy plans, so that results are the same to the bit.
  set(api.SetSessionGraphOptimizationLevel(raw, kLevels[static_cast<int>(level)]));
  set(api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL));
  set(api.SetIntraOpNumThreads(raw, 1));
  set(api.SetInterOpNumThreads(raw, 1));
  set(api.SetSessionLogSeverityLevel(raw, ORT_LOGGING_LEVEL_ERROR));
  set(api.AddSessionConfigEntry(raw, "session.load_model_format", "ONNX"));
  set(api.AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0"));
  set(api.AddSessionConfigEntry(raw, "session.inter_op.allow_spinning", "0"));
  if (!save_to.empty()) set(api.SetOptimizedModelFilePath(raw, save_to.c_str()));
  set(library().append_cpu(raw, 1));
  return options;
}

Owned<OrtSession> make_session(std::string_view model, OrtLevel level, const std::string& save_to,
                               std::string& error) {
  const Library& opened = library();
  error = opened.error;
  if (opened.api == nullptr || !error.empty()) return {nullptr, [](OrtSession*) {}};
  const auto options = make_options(level, save_to, error);
  OrtSession* raw = nullptr;
  if (error.empty()) {
    error = text_of(
        opened.api->CreateSessionFromArray(opened.env, model.data(), model.size(), options.get(), &raw));
  }
  return {raw, opened.api->ReleaseSession};
}

std::vector<std::int64_t> dims_of(const OrtTensorTypeAndShapeInfo* info, int& type) {
  const OrtApi& api = *library().api;
  std::size_t rank = 0;
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  (void)text_of(api.GetTensorElementType(info, &element));
  (void)text_of(api.GetDimensionsCount(info, &rank));
  std::vector<std::int64_t> dims(rank);
  (void)text_of(api.GetDimensions(info, dims.data(), rank));
  type = static_cast<int>(element);
  return dims;
}

class Session final : public OrtModel {
 public:
  explicit Session(Owned<OrtSession> session) : session_(std::move(session)) {}

  std::vector<OrtTensorType> inputs() const override {
    return types(&OrtApi::SessionGetInputCount, &OrtApi::SessionGetInputName,
                 &OrtApi::SessionGetInputTypeInfo);
  }
  std::vector<OrtTensorType> outputs() const override {
    return types(&OrtApi::SessionGetOutputCount, &OrtApi::SessionGetOutputName,
                 &OrtApi::SessionGetOutputTypeInfo);
  }
  std::string run(const std::vector<OrtBuffer>& inputs, const std::vector<OrtBuffer>& placed,
                  const std::vector<std::string>& wanted, std::vector<OrtResult>& results) override;

 private:
  template <typename Count, typename Name, typename Type>
  std::vector<OrtTensorType> types(Count count_of, Name name_of, Type type_of) const;

  Owned<OrtSession> session_;
};

template <typename Count, typename Name, typename Type>
std::vector<OrtTensorType> Session::types(Count count_of, Name name_of, Type type_of) const {
  const OrtApi& api = *library().api;
  std::size_t count = 0;
  (void)text_of((api.*count_of)(session_.get(), &count));
  OrtAllocator* allocator = nullptr;
  (void)text_of(api.GetAllocatorWithDefaultOptions(&allocator));
  std::vector<OrtTensorType> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    (void)text_of((api.*name_of)(session_.get(), i, allocator, &name));
    all[i].name = name;
    (void)text_of(api.AllocatorFree(allocator, name));
    OrtTypeInfo* type = nullptr;
    (void)text_of((api.*type_of)(session_.get(), i, &type));
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    (void)text_of(api.CastTypeInfoToTensorInfo(type, &info));
    if (info != nullptr) all[i].dims = dims_of(info, all[i].onnx_type);
    api.ReleaseTypeInfo(type);
  }
  return all;
}

// The values of one run: names and tensors side by side, as the C interface wants them.
class Values {
 public:
  Values() {
    error_ = text_of(library().api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &host_));
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  ~Values() {
    for (OrtValue* value : tensors) library().api->ReleaseValue(value);
    library().api->ReleaseMemoryInfo(host_);
  }

  void add(const OrtBuffer& buffer) {
    OrtValue* value = nullptr;
    OrtStatus* status = library().api->CreateTensorWithDataAsOrtValue(
        host_, buffer.data, buffer.bytes, buffer.dims.data(), buffer.dims.size(),
        static_cast<ONNXTensorElementDataType>(buffer.onnx_type), &value);
    if (const std::string text = text_of(status); error_.empty()) error_ = text;
    names.push_back(buffer.name.c_str());
    tensors.push_back(value);
  }
  const std::string& error() const { return error_; }

  std::vector<const char*> names;
  std::vector<OrtValue*> tensors;

 private:
  OrtMemoryInfo* host_ = nullptr;
  std::string error_;
};

OrtResult result_of(OrtValue* value, std::string& error) {
  const OrtApi& api = *library().api;
  OrtResult result;
  OrtTensorTypeAndShapeInfo* info = nullptr;
  error = text_of(api.GetTensorTypeAndShape(value, &info));
  if (!error.empty()) return result;
  result.dims = dims_of(info, result.onnx_type);
  api.ReleaseTensorTypeAndShapeInfo(info);
  std::size_t bytes = onnx_type_bytes(result.onnx_type);
  for (const std::int64_t dim : result.dims) bytes *= static_cast<std::size_t>(dim);
  void* data = nullptr;
  error = text_of(api.GetTensorMutableData(value, &data));
  if (error.empty() && bytes > 0) result.bytes.assign(static_cast<const char*>(data), bytes);
  return result;
}

std::string Session::run(const std::vector<OrtBuffer>& inputs, const std::vector<OrtBuffer>& placed,
                         const std::vector<std::string>& wanted, std::vector<OrtResult>& results) {
  Values in, out;
  for (const OrtBuffer& buffer : inputs) in.add(buffer);
  for (const OrtBuffer& buffer : placed) out.add(buffer);
  if (!in.error().empty()) return in.error();
  if (!out.error().empty()) return out.error();
  for (const std::string& name : wanted) {
    out.names.push_back(name.c_str());
    out.tensors.push_back(nullptr);
  }
  std::string error =
      text_of(library().api->Run(session_.get(), nullptr, in.names.data(), in.tensors.data(), in.names.size(),
                                 out.names.data(), out.names.size(), out.tensors.data()));
  for (std::size_t i = placed.size(); i < out.tensors.size() && error.empty(); ++i) {
    results.push_back(result_of(out.tensors[i], error));
  }
  return error;
}

std::string whole_file(int descriptor) {
  std::string bytes;
  char block[65536];
  for (off_t at = 0;;) {
    const ssize_t got = pread(descriptor, block, sizeof block, at);
    if (got <= 0) return bytes;
    bytes.append(block, static_cast<std::size_t>(got));
    at += got;
  }
}

}  // namespace

std::unique_ptr<OrtModel> OrtModel::open(std::string_view model, OrtLevel level, std::string& error) {
  auto session = make_session(model, level, "", error);
  if (session == nullptr) return nullptr;
  return std::make_unique<Session>(std::move(session));
}

std::string optimised_model(std::string_view model, OrtLevel level, std::string& error) {
  // ONNX Runtime hands the result over as a file only; this one is never on a disk.
  const int descriptor = memfd_create("sil-optimised", MFD_CLOEXEC);
  if (descriptor < 0) {
    error = "memfd_create failed";
    return "";
  }
  const auto session = make_session(model, level, "/proc/self/fd/" + std::to_string(descriptor), error);
  std::string bytes = session == nullptr ? "" : whole_file(descriptor);
  close(descriptor);
  return bytes;
}

}  // namespace sil::infer
