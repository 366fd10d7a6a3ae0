"""The code that the READMEs and the pages of the docs show runs; the READMEs show the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python_blocks(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", sorted(page for page in PAGES if python_blocks(page)))
def test_the_code_of_a_page_runs_from_top_to_bottom_in_an_empty_folder(
    page: str, tmp_path: Path
) -> None:
    program = "\n".join(python_blocks(page))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_the_readme_has_code() -> None:
    assert python_blocks("README.md")


def test_both_readmes_show_the_same_code() -> None:
    assert python_blocks("README.zh.md") == python_blocks("README.md")
