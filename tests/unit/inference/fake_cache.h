// An engine cache and flight sets in a temporary folder, published through the real publisher.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "cache/publish.h"
#include "fake_runtime.h"
#include "inference/module_loader.h"

namespace skua::test {

inline HostTuple fake_host() {
  HostTuple host;
  host.cpu_arch = "x86_64";
  host.cpu_features = "avx2";
  return host;
}

inline EngineRecord fake_record(const std::string& model, Precision precision = Precision::kFp16) {
  EngineRecord record;
  record.model = model;
  record.file = model + "__sm0_jp0_trt0_" + std::string(to_string(precision)) + ".onnx";
  record.runtime_label = "fake";
  record.host = fake_host();
  record.precision = precision;
  const Shape shape{kFakeElements};
  record.inputs = {{"x", DType::kFloat32, shape, shape, false}};
  record.outputs = {{"y", DType::kFloat32, shape, shape, false}};
  record.options = {{"device", "cpu"}, {"sdk_version", "1"}};
  record.arithmetic = "fp32";
  record.device_memory_bytes = 100;
  record.sources = {{model + ".onnx", Sha256{}, 1}};
  record.golden.file = record.file + ".golden";
  record.golden.origin = "test";
  record.golden.tolerances = {{"y", Tolerance{1e-6, 1e-6, false, 0.0}}};
  record.builder = std::string(build_id());
  record.created = "2026-01-01T00:00:00Z";
  return record;
}

inline std::vector<std::byte> fake_golden() {
  TensorMap inputs;
  TensorMap outputs;
  Tensor x = Tensor::allocate(DType::kFloat32, Shape{kFakeElements}).value();
  Tensor y = Tensor::allocate(DType::kFloat32, Shape{kFakeElements}).value();
  for (std::size_t i = 0; i < x.as<float>().size(); ++i) {
    x.as<float>()[i] = static_cast<float>(i) + 0.5F;
    y.as<float>()[i] = 2.0F * x.as<float>()[i];
  }
  inputs.insert("x", std::move(x)).value();
  outputs.insert("y", std::move(y)).value();
  return encode_golden(inputs, outputs).value();
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// Publishes one engine of `size` bytes into the cache and returns its record.
inline EngineRecord publish_fake(const std::filesystem::path& cache_dir, EngineRecord record,
                                 std::size_t size = 4096) {
  WriterLock cache = WriterLock::take(posix_file_system(), cache_dir).value();
  const std::string staging = cache.make_staging().value();
  std::vector<std::byte> engine(size, std::byte{0x5a});
  engine[0] = static_cast<std::byte>(record.model.size());
  write_bytes(cache_dir / staging / record.file, engine);
  write_bytes(cache_dir / staging / record.golden.file, fake_golden());
  record = publish_engine(cache, staging, std::move(record)).value();
  cache.discard(staging);
  return record;
}

/// Publishes a flight set of the given records and returns its folder. `edit` changes the manifest before;
/// with a key the set is signed.
inline std::filesystem::path publish_fake_set(const std::filesystem::path& sets_dir,
                                              const std::filesystem::path& cache_dir,
                                              const std::vector<EngineRecord>& records,
                                              const std::string& set_id = "set-1",
                                              const std::function<void(Manifest&)>& edit = {},
                                              const PrivateKey* key = nullptr) {
  WriterLock sets = WriterLock::take(posix_file_system(), sets_dir).value();
  SetWriter writer = SetWriter::begin(sets).value();
  auto cache = posix_file_system().open_folder(cache_dir).value();
  Manifest manifest;
  manifest.set_id = set_id;
  manifest.created = "2026-01-01T00:00:00Z";
  manifest.runtime_label = "fake";
  manifest.host = fake_host();
  manifest.builder = std::string(build_id());
  for (const EngineRecord& record : records) {
    writer.add_engine(*cache, record).value();
    manifest.artifacts.push_back({record.model, manifest.artifacts.size(), record, {}});
  }
  if (edit) edit(manifest);
  writer.commit(manifest, 1U << 30U, key).value();
  return sets_dir / set_id;
}

}  // namespace skua::test
