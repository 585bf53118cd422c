// The signed statement: read only once its signature holds, and strict all the same.
#include <set>

#include "../fuzz.h"
#include "cache/set_statement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const auto statement = decode_statement(fuzz::text_of(data, size));
  if (!statement.ok()) {
    fuzz::require(statement.error().code == ErrorCode::kManifest, "a ManifestError");
    fuzz::require_refusal(statement.error(), {Reason::kStatementMalformed});
    return 0;
  }
  std::set<std::string_view> names;
  for (const SignedFile& file : statement->files) {
    fuzz::require(is_plain_relative(file.name), "plain names", file.name);
    fuzz::require(names.insert(file.name).second, "no name twice", file.name);
  }
  const auto again = decode_statement(encode_statement(*statement));
  fuzz::require(again.ok(), "what was encoded is accepted", again.ok() ? "" : again.error().describe());
  fuzz::require(again->files == statement->files && again->subject == statement->subject,
                "decode(encode(x)) is x");
  return 0;
}
