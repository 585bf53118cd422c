#include "yaml/yaml_guard.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "cache/utf8.h"
#include "core/text.h"
#include "yaml/yaml_fields.h"

namespace skua {
namespace {

/// YAML, but not such as we read.
class ShapeRefusal : public YAML::ParserException {
 public:
  using YAML::ParserException::ParserException;
};

/// The parser's events, of which only the number, the depth and the aliases matter. Throwing is the one way
/// to stop the parser.
class ShapeHandler final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "an alias (*name) is not allowed; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    count(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnMapEnd() override { --depth_; }

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& message) {
    throw ShapeRefusal(mark, message);
  }
  void enter(const YAML::Mark& mark) {
    count(mark);
    if (++depth_ <= kYamlDepthLimit) return;
    refuse(mark, "more than " + std::to_string(kYamlDepthLimit) +
                     " mappings and lists within each other; expected a configuration");
  }
  void count(const YAML::Mark& mark) {
    if (++count_ <= kYamlValueLimit) return;
    refuse(mark, "more than " + std::to_string(kYamlValueLimit) + " values; expected a configuration");
  }

  std::size_t depth_ = 0, count_ = 0;
};

Error malformed(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed, std::move(message));
}

/// yaml-cpp ends a text silently at a NUL or an end-of-transmission: the rest would be ignored.
Status check_bytes(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::size_t line = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\t\r\n"), text.size());
    if (!is_printable_utf8(text.substr(0, end))) {
      return malformed(file + ":" + std::to_string(line) +
                       ": not text; expected UTF-8 without control characters: the file is damaged or of "
                       "another kind");
    }
    if (end < text.size() && text[end] == '\n') ++line;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

Status check_yaml_shape(const std::string& text, const std::string& file) {
  SKUA_RETURN_IF_ERROR(check_bytes(text, file));
  std::istringstream stream(text);
  try {
    YAML::Parser parser(stream);
    ShapeHandler handler;
    while (parser.HandleNextDocument(handler)) {
    }
    return {};
  } catch (const ShapeRefusal& error) {
    return malformed(yaml_position(file, error.mark) + error.msg);
  } catch (const YAML::Exception& error) {
    return malformed(yaml_position(file, error.mark) +
                     "not YAML: " + printable(error.msg, kYamlMessageShown));
  }
}

}  // namespace skua
