#include "calibration/preprocess.h"

#include <span>

#include "calibration/data_set.h"
#include "calibration/sample_check.h"
#include "core/text.h"
#include "yaml/yaml_fields.h"

namespace skua::calibration {
namespace {

const std::string kFile(kPreprocessName);

template <typename T>
struct Word {
  std::string_view text;
  T value;
};
constexpr std::array kChannels{Word<ImageChannels>{"rgb", ImageChannels::kRgb},
                               Word<ImageChannels>{"bgr", ImageChannels::kBgr},
                               Word<ImageChannels>{"gray", ImageChannels::kGray}};
constexpr std::array kLayouts{Word<ImageLayout>{"nchw", ImageLayout::kNchw},
                              Word<ImageLayout>{"nhwc", ImageLayout::kNhwc}};

/// A key without a default.
template <typename T, std::size_t kCount>
T word_of(YamlFields& fields, std::string_view key, const std::array<Word<T>, kCount>& words) {
  fields.require(key);
  const auto text = fields.text(key);
  std::vector<std::string_view> known;
  for (const Word<T>& word : words) {
    if (text && *text == word.text) return word.value;
    known.push_back(word.text);
  }
  if (text) {
    fields.fail(*fields.node(key), std::string(key) + ": expected one of " +
                                       join(std::span<const std::string_view>(known)) + ", found " +
                                       quote(*text));
  }
  return {};
}

std::optional<ImageSize> size_of(YamlFields& fields, std::string_view key) {
  const auto node = fields.node(key);
  if (!node) return std::nullopt;
  YamlFields inner(*node, kFile, std::string(key));
  inner.require("width");
  inner.require("height");
  const ImageSize size{static_cast<int>(inner.integer("width", 1, kMaxImageSide).value_or(1)),
                       static_cast<int>(inner.integer("height", 1, kMaxImageSide).value_or(1))};
  if (const Status status = inner.finish(); !status.ok()) fields.fail(status.error());
  return size;
}

/// A number, above 0 where only such make sense.
std::optional<double> number_of(YamlFields& fields, const YAML::Node& node, std::string_view key,
                                bool is_positive) {
  const auto text = yaml_text(node, kFile, std::string(key));
  if (!text.ok()) {
    fields.fail(text.error());
    return std::nullopt;
  }
  const auto value = parse_double(*text);
  if (value && (!is_positive || *value > 0)) return value;
  fields.fail(node, std::string(key) + ": expected a number" + (is_positive ? " above 0" : "") + ", found " +
                        quote(*text));
  return std::nullopt;
}

/// One number for all channels, or one for each.
void read_channels(YamlFields& fields, std::string_view key, bool is_positive, std::size_t channels,
                   std::array<double, 3>& values) {
  const auto node = fields.node(key);
  if (!node) return;
  if (!node->IsSequence()) {
    if (const auto value = number_of(fields, *node, key, is_positive)) values.fill(*value);
    return;
  }
  if (node->size() != channels) {
    return fields.fail(*node, std::string(key) + ": expected one number, or a list of one for each of " +
                                  std::to_string(channels) + " channels, found a list of " +
                                  std::to_string(node->size()));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    if (const auto value = number_of(fields, (*node)[c], key, is_positive)) values[c] = *value;
  }
}

bool fits(const ImageSize& part, const ImageSize& whole) {
  return part.width <= whole.width && part.height <= whole.height;
}

Result<Preprocess> read(const std::string& text) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, kFile));
  YamlFields fields(root, kFile, "");
  Preprocess result;
  result.channels = word_of(fields, "channels", kChannels);
  result.layout = word_of(fields, "layout", kLayouts);
  result.resize = size_of(fields, "resize");
  result.crop = size_of(fields, "crop");
  if (const auto scale = fields.node("scale"))
    result.scale = number_of(fields, *scale, "scale", true).value_or(1);
  const std::size_t channels = result.channels == ImageChannels::kGray ? 1 : 3;
  read_channels(fields, "mean", false, channels, result.mean);
  read_channels(fields, "std", true, channels, result.std);
  const auto crop = fields.node("crop");  // nothing behind an error
  if (crop && result.resize && result.crop && !fits(*result.crop, *result.resize))
    fields.fail(*crop, "crop: expected at most the size that resize gives, found more");
  SKUA_RETURN_IF_ERROR(fields.finish());
  return result;
}

}  // namespace

Result<Preprocess> parse_preprocess(const std::string& text) {
  if (text.size() > kMaxPreprocessBytes) {
    return malformed(kFile, "at most " + std::to_string(kMaxPreprocessBytes) + " bytes",
                     std::to_string(text.size()));
  }
  auto result = read(text);
  if (result.ok()) return result;
  // The message begins with the file, the line and the column.
  return make_error(ErrorCode::kEngineBuild, Reason::kDataSetMalformed,
                    "data set, " + result.error().message);
}

}  // namespace skua::calibration
