"""What ``import stepsize`` costs beside what it stands on, each in a fresh process."""

import statistics
import subprocess
import sys

CODE = """
import sys, time
import {before}
began = time.perf_counter()
import {module}
print(time.perf_counter() - began)
"""


def seconds(module: str, before: str) -> float:
    code = CODE.format(module=module, before=before)
    command = [sys.executable, "-c", code]
    each = [
        float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(11)
    ]
    return statistics.median(each)


def rows() -> list[tuple[str, float, str, str]]:
    return [
        ("import numpy", seconds("numpy", "sys") * 1e3, "ms", ""),
        ("import stepsize, numpy loaded", seconds("stepsize", "numpy") * 1e3, "ms", "<= 60"),
    ]
