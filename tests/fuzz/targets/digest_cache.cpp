// The digest cache: whatever its file says, a file that it has not hashed gets its true digest.
#include "cache/digest_cache.h"

#include "../fuzz.h"
#include "../fuzz_folder.h"
#include "core/hash.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const test::TempFolder& place = fuzz::input_folder();
  const std::string_view text = fuzz::text_of(data, size);
  place.write(std::string(kDigestCacheName), text);
  const auto source = place.write("source", "what is hashed");
  const auto folder = posix_file_system().open_folder(place.path());
  DigestCache cache(system_clock());
  cache.read(**folder);
  const auto digest = cache.digest_of(posix_file_system(), source);
  fuzz::require(digest.ok() && *digest == sha256_of(fuzz::bytes_of("what is hashed")), "the true digest");
  return 0;
}
