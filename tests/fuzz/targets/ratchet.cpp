// A copy of the accepted release sequence, and what two copies say together. Input: a byte, then a text; by
// the byte's bits the text gets the digest that is due, and stands for the other copy too.
#include "cache/release_ratchet.h"

#include <unistd.h>

#include "../fuzz.h"
#include "../fuzz_folder.h"
#include "core/hash.h"

namespace {

using namespace skua;

std::string copy_of(unsigned how, std::string_view text) {
  if ((how & 1U) == 0) return std::string(text);
  return std::string(text) + sha256_of(fuzz::bytes_of(text)).hex() + "\n";
}

// 7 in the other copy, or the same text, or nothing.
void write_other(unsigned how, const std::string& text) {
  const std::string name = std::string(kRatchetFolder) + "/" + std::string(kRatchetFileB);
  if ((how & 6U) == 0) fuzz::input_folder().write(name, encode_ratchet(7));
  if ((how & 6U) == 2) fuzz::input_folder().write(name, text);
  if ((how & 6U) > 2) unlink((fuzz::input_folder().path() / name).c_str());
}

void require_together(const std::optional<std::uint64_t>& sequence, unsigned how) {
  const auto state = read_ratchet(posix_file_system(), fuzz::input_folder().path());
  const bool is_other_good = (how & 6U) == 0;
  if (!state.ok()) {
    fuzz::require(!sequence && !is_other_good, "one good copy is enough", state.error().describe());
    fuzz::require_refusal(state.error(), {Reason::kRatchetDamaged});
    return;
  }
  fuzz::require(sequence || is_other_good, "no good copy is no answer");
  const std::uint64_t other = is_other_good ? 7 : 0;
  fuzz::require(state->accepted == std::max(sequence.value_or(0), other), "the higher one counts");
  const bool is_bad = !sequence || (how & 6U) > 2;
  fuzz::require(state->is_one_copy_bad == is_bad, "a bad copy is told");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text = copy_of(data[0], fuzz::text_of(data + 1, size - 1));
  const auto sequence = decode_ratchet(text);
  fuzz::require(!sequence || encode_ratchet(*sequence) == text, "one text stands for a sequence");
  fuzz::input_folder().write(std::string(kRatchetFolder) + "/" + std::string(kRatchetFileA), text);
  write_other(data[0], text);
  require_together(sequence, data[0]);
  return 0;
}
