"""Reads back what W&B wrote offline: its log of protobuf records, in LevelDB's log format of 32 KiB blocks."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32 * 1024, 7


def records(path: Path) -> Iterator[Any]:
    """Each whole record of a `.wandb` file; one that a kill cut short ends it."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    position, parts = HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _checksum, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        if position + HEADER + length > len(data):
            return
        parts += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):  # whole, or the last of several parts
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def files(workdir: Path) -> list[Path]:
    """The offline files under ``workdir``, the oldest first."""
    return sorted(
        Path(workdir).rglob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns
    )


def read(path: Path) -> dict[str, Any]:
    """``run``: the run's record; ``config``; ``rows`` of history; the last ``summary``; ``metrics`` as they were defined."""
    found: dict[str, Any] = {
        "run": None,
        "config": {},
        "rows": [],
        "summary": {},
        "metrics": {},
        "exit": False,
    }
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found["run"] = record.run
            found["config"] = {
                item.key: json.loads(item.value_json) for item in record.run.config.update
            }
        elif kind == "history":
            found["rows"].append(_values(record.history.item))
        elif kind == "summary":
            found["summary"] |= _values(record.summary.update)
        elif kind == "metric":
            found["metrics"][record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "exit":
            found["exit"] = True
    return found


def _values(items: Any) -> dict[str, Any]:
    """``{"train/step": 5, "histogram/_type": ...}``: nested names joined by a slash."""
    return {
        "/".join(item.nested_key) if item.nested_key else item.key: json.loads(item.value_json)
        for item in items
    }
