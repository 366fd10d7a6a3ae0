"""The code that the two READMEs show runs, and is the same code in both."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python_blocks(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_the_readme_code_runs_from_top_to_bottom_in_an_empty_folder(tmp_path: Path) -> None:
    program = "\n".join(python_blocks("README.md"))
    assert program
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_both_readmes_show_the_same_code() -> None:
    assert python_blocks("README.zh.md") == python_blocks("README.md")
