#include "flight/rerank_consumer.h"

#include <algorithm>

namespace skua::flight {

Result<std::unique_ptr<RerankConsumer>> RerankConsumer::create(const Injected& injected,
                                                               std::size_t most_candidates) {
  return std::unique_ptr<RerankConsumer>(new RerankConsumer(injected.lightglue, most_candidates));
}

Result<std::size_t> RerankConsumer::best(const KeypointSet& frame, std::span<const KeypointSet> tiles,
                                         std::span<std::size_t> order, const InferOptions& options) noexcept {
  SKUA_RETURN_IF_ERROR(matcher_.run(frame, tiles, options));
  SKUA_RETURN_IF_ERROR(matcher_.verdict());
  std::size_t count = 0;
  const auto matched = [&](std::size_t tile) { return matcher_.matches(tile).indices.size(); };
  for (std::size_t tile = 0; tile < matcher_.size(); ++tile) {
    if (!matcher_.status(tile).ok()) continue;
    // Insertion into the best so far; of equals the one that looked more alike stays first.
    std::size_t place = count;
    while (place > 0 && matched(order[place - 1]) < matched(tile)) --place;
    if (place >= order.size()) continue;
    count = std::min(count + 1, order.size());
    std::copy_backward(order.begin() + static_cast<std::ptrdiff_t>(place),
                       order.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                       order.begin() + static_cast<std::ptrdiff_t>(count));
    order[place] = tile;
  }
  return count;
}

}  // namespace skua::flight
