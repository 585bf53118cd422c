#include "cli/cache_entries.h"

#include <algorithm>
#include <iterator>

#include "cache/engine_verify.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kRecordSuffix = ".json";

std::string list_of(const std::vector<EngineRecord>& records) {
  std::string list;
  for (const EngineRecord& record : records) {
    list += (list.empty() ? " " : "; ") + record.model + " (" + record.runtime_label + ", " +
            std::string(to_string(record.precision)) + ", " + record.file + ")";
  }
  return list.empty() ? " none" : list;
}

template <typename Predicate>
std::vector<EngineRecord> only(const std::vector<EngineRecord>& records, Predicate is_wanted) {
  std::vector<EngineRecord> kept;
  std::copy_if(records.begin(), records.end(), std::back_inserter(kept), is_wanted);
  return kept;
}

}  // namespace

Result<std::vector<EngineRecord>> cache_records(FileSystem& files, const std::filesystem::path& cache) {
  auto folder = files.open_folder(cache);
  auto names = folder.ok() ? (*folder)->list() : Result<std::vector<std::string>>(folder.error());
  if (!names.ok()) {
    return make_error(
        ErrorCode::kInvalidArgument, names.error().reason,
        cache.string() + " is neither a flight set nor an engine cache: " + names.error().message);
  }
  std::vector<EngineRecord> records;
  for (const std::string& name : *names) {
    if (!name.ends_with(kRecordSuffix)) continue;
    auto record = read_build_record(**folder, name.substr(0, name.size() - kRecordSuffix.size()));
    if (record.ok()) records.push_back(*std::move(record));
  }
  return records;
}

Result<EngineRecord> choose_engine(const std::vector<EngineRecord>& records, const EngineQuery& query,
                                   const HostTuple& host) {
  auto found = only(records, [&](const EngineRecord& record) {
    return record.model == query.model &&
           record.runtime_label == query.runtime.value_or(record.runtime_label) &&
           record.precision == query.precision.value_or(record.precision);
  });
  const auto here =
      only(found, [&](const EngineRecord& r) { return tuple_text(r.host) == tuple_text(host); });
  if (!here.empty()) found = here;
  if (found.size() == 1) return std::move(found.front());
  const bool is_ambiguous = found.size() > 1;
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    quote(query.model) +
                        (is_ambiguous ? " is ambiguous; say --runtime or --precision. Candidates:"
                                      : " is not in this folder; it has:") +
                        list_of(is_ambiguous ? found : records));
}

}  // namespace skua
