#include "calibration/cache_files.h"

#include <algorithm>
#include <array>

#include "cache/publish.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "cache/staged_copy.h"
#include "core/hash.h"

namespace skua::calibration {
namespace {

std::string cache_name(const std::string& stem) { return stem + std::string(kCacheSuffix); }
std::string data_set_name(const std::string& stem) { return cache_name(stem) + std::string(kDataSetSuffix); }

Error failed(const Error& cause, const std::string& doing) {
  return make_error(refusal_class(cause, ErrorCode::kCalibrationCache), cause.reason,
                    doing + ": " + cause.message, cause.native_code);
}

/// Whether the file itself is wrong, and not the disk or the memory that it was read with.
bool is_damage(const Error& error) noexcept {
  constexpr std::array kDamage = {Reason::kNotRegularFile, Reason::kSidecarMissing, Reason::kSidecarMalformed,
                                  Reason::kTooLarge,       Reason::kMalformed,      Reason::kNotFound};
  return is_unsafe(error) || std::find(kDamage.begin(), kDamage.end(), error.reason) != kDamage.end();
}

/// Without the remedies for engines and sets: what becomes of a cache is decided here.
std::string what_is_wrong(const Error& error) {
  return error.reason == Reason::kMalformed ? error.message : std::string(sentence_of(error.reason));
}

/// A cache as it was read, with what its own bytes say.
struct ReadCache {
  std::string text;
  Sha256 digest;
  CacheText content;
};

Result<std::string> read_bounded(Folder& folder, const std::string& name, std::size_t limit) {
  SKUA_ASSIGN_OR_RETURN(const auto file, open_safe(folder, name, Reason::kNotFound));
  return read_at_most(*file, limit + 1, file_text(folder, name));
}

Result<ReadCache> read_cache(Folder& folder, const std::string& name) {
  ReadCache cache;
  SKUA_ASSIGN_OR_RETURN(cache.text, read_bounded(folder, name, kMaxCacheBytes));
  cache.digest = sha256_of(std::as_bytes(std::span(cache.text)));
  SKUA_ASSIGN_OR_RETURN(const Sha256 recorded, read_sidecar(folder, name));
  if (recorded != cache.digest) {
    return make_error(ErrorCode::kCalibrationCache, Reason::kMalformed,
                      "expected SHA-256 " + recorded.hex() + " by its sidecar, found " + cache.digest.hex());
  }
  SKUA_ASSIGN_OR_RETURN(cache.content, parse_cache_text(cache.text));
  return cache;
}

/// Nothing when all that is known of the cache's origin agrees; else what does not.
Result<std::string> find_contradiction(Folder& folder, const std::string& stem, const ReadCache& cache,
                                       const std::optional<RecordedOrigin>& recorded) {
  if (!recorded) return std::string("no build record says what it was made from");
  const CalibrationProvenance& origin = recorded->calibration;
  if (origin.cache_sha256 != cache.digest) return std::string("the build record speaks of another cache");
  if (origin.algorithm != to_string(cache.content.algorithm)) {
    return std::string("its algorithm is not the build record's");
  }
  const auto data_set = read_bounded(folder, data_set_name(stem), kSidecarBytes);
  if (!data_set.ok() && !is_damage(data_set.error())) return data_set.error();
  if (!data_set.ok()) return "the digest of its data set: " + what_is_wrong(data_set.error());
  if (*data_set != origin.dataset_sha256.hex()) {
    return std::string("the digest of its data set is not the build record's");
  }
  return std::string();
}

Findings compare(const ReadCache& cache, const RecordedOrigin& recorded, const Expectation& expected) {
  Findings findings{CacheState::kProven, {}};
  const auto note = [&](Origin origin, bool is_same) {
    findings.differs[static_cast<std::size_t>(origin)] = !is_same;
  };
  const auto& producers = expected.producers;
  note(Origin::kDataSet, recorded.calibration.dataset_sha256 == expected.dataset_sha256 &&
                             recorded.calibration.sample_count == expected.sample_count);
  note(Origin::kModel, recorded.model_sha256 == expected.model_sha256);
  note(Origin::kAlgorithm, cache.content.algorithm == expected.algorithm);
  note(Origin::kLibrary, cache.content.library_version == expected.library_version);
  note(Origin::kProducer,
       std::find(producers.begin(), producers.end(), recorded.calibration.producer) != producers.end());
  return findings;
}

JudgedCache judged(CacheState state, std::string why) {
  JudgedCache cache;
  cache.findings.state = state;
  cache.verdict = decide(cache.findings);
  cache.why = std::move(why);
  return cache;
}

Status move_aside(Folder& folder, const std::string& name, const std::string& to) {
  const Status moved = folder.move_into(name, kRejectedFolder, to);
  if (moved.ok() || moved.error().reason != Reason::kNotFound) return moved;
  return {};  // a digest that is missing is why we are here
}

/// "<digest>." of what can be read; nothing for what cannot.
std::string digest_text(Folder& folder, const std::string& name) {
  const auto text = read_bounded(folder, name, kMaxCacheBytes);
  return text.ok() ? sha256_of(std::as_bytes(std::span(*text))).hex() + "." : "";
}

Result<std::string> set_aside_all(Folder& folder, const std::string& stem) {
  const Status made = folder.make_folder(kRejectedFolder);
  if (!made.ok() && made.error().reason != Reason::kExists) return made.error();
  const std::string name = cache_name(stem);
  SKUA_ASSIGN_OR_RETURN(const std::string kept, random_name(name + "." + digest_text(folder, name)));
  // The text goes last: while it is there, the next one sets it aside.
  SKUA_RETURN_IF_ERROR(move_aside(folder, data_set_name(stem), kept + std::string(kDataSetSuffix)));
  SKUA_RETURN_IF_ERROR(move_aside(folder, sidecar_name(name), sidecar_name(kept)));
  SKUA_RETURN_IF_ERROR(move_aside(folder, name, kept));
  SKUA_ASSIGN_OR_RETURN(const auto rejected, folder.open_folder(kRejectedFolder));
  SKUA_RETURN_IF_ERROR(rejected->sync());
  SKUA_RETURN_IF_ERROR(folder.sync());
  return kept;
}

Status publish_all(Folder& folder, const std::string& stem, std::string_view text, const Sha256& digest,
                   const Sha256& data_set) {
  const std::string name = cache_name(stem);
  const Status gone = folder.remove(sidecar_name(name));
  if (!gone.ok() && gone.error().reason != Reason::kNotFound) return gone;
  SKUA_RETURN_IF_ERROR(folder.sync());
  const auto publish = [&](const std::string& file, std::string_view content) {
    return publish_file(folder, file, std::as_bytes(std::span(content)));
  };
  SKUA_RETURN_IF_ERROR(publish(name, text));
  SKUA_RETURN_IF_ERROR(publish(data_set_name(stem), data_set.hex()));
  return publish(sidecar_name(name), digest.hex());
}

}  // namespace

Result<JudgedCache> judge_cache(Folder& folder, const std::string& stem,
                                const std::optional<RecordedOrigin>& recorded, const Expectation& expected) {
  const std::string name = cache_name(stem);
  const std::string where = file_text(folder, name);
  const auto info = folder.info(name);
  if (!info.ok() && info.error().reason == Reason::kNotFound) {
    return judged(CacheState::kAbsent, where + " does not exist");
  }
  if (!info.ok()) return failed(info.error(), where + " cannot be judged");
  auto cache = read_cache(folder, name);
  if (!cache.ok() && !is_damage(cache.error())) return failed(cache.error(), where + " cannot be judged");
  if (!cache.ok()) return judged(CacheState::kDamaged, where + ": " + what_is_wrong(cache.error()));
  auto contradiction = find_contradiction(folder, stem, *cache, recorded);
  if (!contradiction.ok()) return failed(contradiction.error(), where + " cannot be judged");
  if (!contradiction->empty()) return judged(CacheState::kUnproven, where + ": " + *contradiction);
  JudgedCache answer;
  answer.findings = compare(*cache, *recorded, expected);
  answer.verdict = decide(answer.findings);
  const std::string other = differences(answer.findings);
  answer.why = where + (other.empty() ? " fits" : " was made from another " + other);
  if (answer.verdict == Verdict::kReuse) answer.text = std::move(cache->text);
  return answer;
}

Result<std::string> set_aside(Folder& folder, const std::string& stem) {
  auto kept = set_aside_all(folder, stem);
  if (kept.ok()) return kept;
  return failed(kept.error(), "cannot set " + file_text(folder, cache_name(stem)) + " aside");
}

Result<Sha256> publish_cache(Folder& folder, const std::string& stem, std::string_view text,
                             const Sha256& dataset_sha256) {
  SKUA_RETURN_IF_ERROR(parse_cache_text(text));
  const Sha256 digest = sha256_of(std::as_bytes(std::span(text)));
  const Status published = publish_all(folder, stem, text, digest, dataset_sha256);
  if (published.ok()) return digest;
  return failed(published.error(), "cannot publish " + file_text(folder, cache_name(stem)));
}

}  // namespace skua::calibration
