"""The command line, called in this process or as a user would call it."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from stepsize.cli import program


@pytest.fixture
def stepsize() -> Callable[..., Result]:
    """Call a command in this process."""

    def call(*arguments: object, **environment: str) -> Result:
        plain = {"COLUMNS": "80", "NO_COLOR": None, "FORCE_COLOR": None, **environment}
        return CliRunner(env=plain).invoke(program, [str(each) for each in arguments])

    return call


@pytest.fixture
def process() -> Callable[..., "subprocess.Popen[str]"]:
    """Start the real command; its standard streams are pipes."""

    def start(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "stepsize.cli", *(str(each) for each in arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "80"} | environment,
        )

    return start
