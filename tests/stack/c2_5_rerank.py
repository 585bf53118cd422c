"""C2.5: which of the places that look alike have the frame's keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol import InferenceRuntime, KeypointSet, Matcher, NoResult, is_no_result, reason_of


class RerankConsumer:
    slug = "c2_5_rerank"

    def __init__(self, inference: InferenceRuntime, lightglue: Matcher) -> None:
        self.inference, self.lightglue = inference, lightglue

    def best(self, features: KeypointSet, tiles: Sequence[KeypointSet], count: int, **options: Any) -> list[int]:
        """Indices of the tiles that most keypoints of the frame match with, best first; of equals the earlier one.

        A tile whose inference failed is dropped; all of them: NoResult.
        """
        try:
            pairs = self.lightglue.match_batch([features] * len(tiles), list(tiles), **options)
        except Exception as error:
            if is_no_result(error):
                raise NoResult(reason_of(error), "rerank") from error
            raise
        if len(pairs) != len(tiles):
            raise ValueError(f"{self.slug}: {len(tiles)} pairs asked, {len(pairs)} answered")
        failed = [pair.error for pair in pairs if getattr(pair, "error", None) is not None]
        for failure in failed:
            if not is_no_result(failure):
                raise failure
        if failed and len(failed) == len(pairs):
            raise NoResult(reason_of(failed[0]), "rerank")
        good = [tile for tile, pair in enumerate(pairs) if getattr(pair, "error", None) is None]
        return sorted(good, key=lambda tile: -len(pairs[tile].indices))[:count]
