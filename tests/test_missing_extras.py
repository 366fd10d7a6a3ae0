"""Without an optional package: one clear sentence with the pip command, and the rest works."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
sys.modules[{package!r}] = None  # as if it were not installed
from stepsize import Cosine, MissingExtra
assert Cosine(2)(1) == 0.5
try:
    {use}
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("package", "use", "extra"),
    [("torch", "import stepsize.torch", "torch"), ("matplotlib", "Cosine(2).plot()", "plot")],
)
def test_an_absent_package_is_named_with_the_command_that_installs_it(
    package: str, use: str, extra: str
) -> None:
    code = CODE.format(package=package, use=use)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs the package {package!r}, but it is not installed" in done.stdout
    assert f"pip install 'stepsize[{extra}]'" in done.stdout


def test_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["matplotlib"] = None
from stepsize.cli.program import main
sys.argv = ["stepsize", "plot", "Cosine(9)", "-o", "out.png"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "pip install 'stepsize[plot]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
