"""Reads what W&B wrote offline: protobuf records in LevelDB's log format, in blocks of 32 KiB."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32 * 1024, 7
WHOLE_RECORD, LAST_PART = 1, 4


def records(path: Path) -> Iterator[Any]:
    """Yields each complete record of a `.wandb` file, up to one that a kill cut short."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    position, parts = HEADER, b""
    while position + HEADER <= len(data):
        left_in_block = BLOCK - position % BLOCK
        if left_in_block < HEADER:
            position += left_in_block
            continue
        _checksum, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        if position + HEADER + length > len(data):
            return
        parts += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (WHOLE_RECORD, LAST_PART):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def files(run_dir: Path) -> list[Path]:
    """Returns the offline files under a run directory, the oldest first."""
    paths = Path(run_dir).rglob("offline-run-*/run-*.wandb")
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)


def read(path: Path) -> dict[str, Any]:
    """Reads an offline file.

    Returns:
      ``run``: the run's record; ``config``; ``rows`` of the history; the last ``summary``;
      ``metrics``: their definitions by name; ``exit``: whether the run has finished.
    """
    contents: dict[str, Any] = {
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
            contents["run"] = record.run
            contents["config"] = {
                item.key: json.loads(item.value_json) for item in record.run.config.update
            }
        elif kind == "history":
            contents["rows"].append(_values(record.history.item))
        elif kind == "summary":
            contents["summary"] |= _values(record.summary.update)
        elif kind == "metric":
            contents["metrics"][record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "exit":
            contents["exit"] = True
    return contents


def read_finished(path: Path, seconds: float = 60.0) -> dict[str, Any]:
    """Reads the file of a run that was closed, once W&B's own process has written its end.

    On a busy machine that takes a while after the run was closed.
    """
    deadline = time.monotonic() + seconds
    while not (contents := read(path))["exit"] and time.monotonic() < deadline:
        time.sleep(0.1)
    return contents


def _values(items: Any) -> dict[str, Any]:
    """Returns ``{"train/step": 5, "histogram/_type": ...}``, nested names joined by a slash."""
    return {
        "/".join(item.nested_key) if item.nested_key else item.key: json.loads(item.value_json)
        for item in items
    }
