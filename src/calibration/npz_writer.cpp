#include <zip.h>

#include <memory>
#include <new>
#include <utility>

#include "calibration/npy.h"
#include "calibration/npz.h"
#include "calibration/zip_archive.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

/// A buffer that an archive is written to; reference counted by the library.
struct FreeSource {
  void operator()(zip_source_t* source) const noexcept { zip_source_free(source); }
};
using Source = std::unique_ptr<zip_source_t, FreeSource>;

Error cannot_pack(const char* why) {
  return make_error(ErrorCode::kEngineBuild, Reason::kIo,
                    "an archive of arrays cannot be made: " + quote(why) + "; free some memory");
}

/// `content` must outlive the archive's closing.
Status add_member(zip_t* archive, const std::string& name, const std::string& content) {
  constexpr zip_uint16_t kMidnight = 0, kFirstDay = 0x21;  // 1980-01-01: no time of making in the bytes
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  const zip_int64_t index =
      source == nullptr ? -1 : zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return cannot_pack(zip_strerror(archive));
  }
  const auto at = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) == 0 &&
      zip_file_set_dostime(archive, at, kMidnight, kFirstDay, 0) == 0)
    return {};
  return cannot_pack(zip_strerror(archive));
}

Status write_archive(zip_source_t* into, const std::vector<std::pair<std::string, std::string>>& members) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_keep(into);  // the archive takes one count
  Archive archive(zip_open_from_source(into, ZIP_TRUNCATE, &error));
  if (archive == nullptr) {
    zip_source_free(into);
    return cannot_pack(zip_error_strerror(&error));
  }
  for (const auto& [name, content] : members) SKUA_RETURN_IF_ERROR(add_member(archive.get(), name, content));
  if (zip_close(archive.get()) != 0) return cannot_pack(zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  return {};
}

Result<std::string> content_of(zip_source_t* source) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_stat(source, &stat) != 0 || zip_source_open(source) != 0) return cannot_pack("no content");
  std::string bytes(static_cast<std::size_t>(stat.size), '\0');
  const zip_int64_t got = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (got != static_cast<zip_int64_t>(bytes.size())) return cannot_pack("less than was written");
  return bytes;
}

}  // namespace

Result<std::string> encode_npz(const TensorMap& arrays) {
  try {
    std::vector<std::pair<std::string, std::string>> members;
    for (const auto& [name, tensor] : arrays) {
      std::string content = encode_npy_header(tensor.view());
      content.append(static_cast<const char*>(tensor.view().data), tensor.view().size_bytes());
      members.emplace_back(name + ".npy", std::move(content));
    }
    const Source memory(zip_source_buffer_create(nullptr, 0, 0, nullptr));
    if (memory == nullptr) return cannot_pack("no memory");
    SKUA_RETURN_IF_ERROR(write_archive(memory.get(), members));
    return content_of(memory.get());
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                      "packing an archive of arrays needs more memory than there is");
  }
}

}  // namespace skua::calibration
