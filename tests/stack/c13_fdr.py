"""C13, the flight data recorder: whatever components enqueue, as lines of JSON."""

from __future__ import annotations

import json
import pathlib
import threading
from typing import Any


class FlightDataRecorder:
    """Keeps records in memory, and in a file where one is given. Another recorder of the stack may call from any thread."""

    def __init__(self, file: str | pathlib.Path | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self.threads: set[int] = set()
        self._file = pathlib.Path(file).open("a", encoding="utf-8") if file is not None else None

    def enqueue(self, record: Any) -> None:
        kept = {"schema_version": record.schema_version, "producer_id": record.producer_id, "ts": record.ts,
                "kind": record.kind, "payload": dict(record.payload)}
        self.threads.add(threading.get_ident())
        self.records.append(kept)
        if self._file is not None:
            self._file.write(json.dumps(kept) + "\n")
            self._file.flush()

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.records]
