"""Finished runs as JSON lines: whoever asks again gets the answer, also after an interruption."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Runs"]


class Runs:
    """A file of finished runs. Several processes may add to it.

    A run is known by its key alone: delete the file after changing a task or a procedure.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            self._remember(line)
        if text and not text.endswith("\n"):
            self._append("\n")

    def _remember(self, line: str) -> None:
        try:
            run = json.loads(line)
        except json.JSONDecodeError:
            return  # The machine went down in the middle of this line.
        self._known[_text(run["key"])] = run["result"]

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result stored under ``key``, if there is one."""
        return self._known.get(_text(key))

    def once(self, key: Mapping[str, Any], compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result under ``key``: the stored one, or computed and stored."""
        known = self.get(key)
        if known is None:
            known = self._known[_text(key)] = compute()
            self._append(json.dumps({"key": dict(key), "result": known}) + "\n")
        return known

    def _append(self, text: str) -> None:
        # One write to a file opened for appending: lines of several processes do not mix.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
