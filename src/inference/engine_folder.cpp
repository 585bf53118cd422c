#include "inference/engine_folder.h"

#include "cache/safe_file.h"
#include "core/hash.h"

namespace skua {
namespace {

Error refusal(Reason reason, std::string message) {
  return make_error(ErrorCode::kEngineDeserialize, reason, std::move(message));
}

}  // namespace

Result<GoldenVectors> read_golden(Folder& folder, const GoldenRef& ref, BufferPool& pool) {
  SKUA_ASSIGN_OR_RETURN(auto file, open_safe(folder, ref.file, Reason::kGoldenMissing));
  const std::string where = file_text(folder, ref.file);
  const auto info = file->info();
  if (!info.ok()) return as_load_error(info.error(), where);
  if (info->size != ref.size_bytes) {
    return refusal(Reason::kGoldenHashMismatch, "golden vectors " + ref.file + " have " +
                                                    std::to_string(info->size) + " bytes, recorded are " +
                                                    std::to_string(ref.size_bytes) +
                                                    "; provision the set again");
  }
  SKUA_ASSIGN_OR_RETURN(Buffer buffer, pool.take(info->size));
  const auto found = read_and_hash(*file, buffer.bytes());
  if (!found.ok()) return as_load_error(found.error(), where);
  if (*found != ref.sha256) {
    return refusal(Reason::kGoldenHashMismatch, "golden vectors " + ref.file + ": expected SHA-256 " +
                                                    ref.sha256.hex() + ", found " + found->hex() +
                                                    "; provision the set again");
  }
  auto golden = decode_golden(buffer.bytes());
  pool.give_back(std::move(buffer));
  return golden;
}

bool uses_gpu(const EngineRecord& record) {
  const auto device = record.options.find("device");
  return device == record.options.end() || device->second != "cpu";
}

}  // namespace skua
