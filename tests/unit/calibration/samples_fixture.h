// Samples for tests: archives and arrays made by hand, well and badly.
#pragma once

#include <zip.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bytes_of.h"
#include "calibration/npz.h"
#include "skua/tensor.h"

namespace skua::calibration::sample_tests {

using skua::test::bytes_of;

/// A .npy file whose header is `dict`, whatever it says.
inline std::string npy(const std::string& dict, const std::string& data, char major = 1) {
  std::string bytes = std::string("\x93NUMPY") + major + '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) bytes += static_cast<char>((dict.size() >> (8 * i)) & 0xFFU);
  return bytes + dict + data;
}

inline std::string npy_of(const std::string& descr, const std::string& shape, const std::string& data,
                          bool is_fortran = false) {
  return npy("{'descr': '" + descr + "', 'fortran_order': " + (is_fortran ? "True" : "False") +
                 ", 'shape': " + shape + ", }",
             data);
}

template <typename T>
std::string data_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string floats(std::vector<float> values) { return data_of(values); }

struct ZipKind {
  zip_int32_t method = ZIP_CM_STORE;
  const char* password = nullptr;
};

/// An archive of these members, by name and content.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& members,
                          ZipKind kind = {}) {
  zip_source_t* memory = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  zip_source_keep(memory);
  zip_t* archive = zip_open_from_source(memory, ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto index =
        static_cast<zip_uint64_t>(zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8));
    zip_set_file_compression(archive, index, kind.method, 0);
    if (kind.password != nullptr) zip_file_set_encryption(archive, index, ZIP_EM_AES_128, kind.password);
  }
  if (zip_close(archive) != 0 || zip_source_open(memory) != 0) throw std::runtime_error("no archive");
  std::string bytes;
  char piece[4096];
  for (zip_int64_t got = 0; (got = zip_source_read(memory, piece, sizeof(piece))) > 0;)
    bytes.append(piece, static_cast<std::size_t>(got));
  zip_source_close(memory);
  zip_source_free(memory);
  return bytes;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size(), ++count)
    text.replace(at, from.size(), to);
  if (count == 0) throw std::runtime_error("nothing to replace");
  return text;
}

inline TensorSpec input(std::string name, DType dtype, Shape shape, Shape max_shape = {}) {
  return {std::move(name), dtype, shape, max_shape, false};
}

}  // namespace skua::calibration::sample_tests
