"""What ``from stepsize import *`` brings, and what it must not bring."""

import pkgutil
import subprocess
import sys

import stepsize


def test_a_star_import_brings_no_room_so_torch_stays_torch() -> None:
    code = "import torch, stepsize.torch\nfrom stepsize import *\nassert torch.nn and Cosine"
    subprocess.run([sys.executable, "-c", code], check=True)
    rooms = {module.name for module in pkgutil.iter_modules(stepsize.__path__)}
    assert rooms.isdisjoint(stepsize.__all__)


def test_every_public_name_is_there_once() -> None:
    assert len(stepsize.__all__) == len(set(stepsize.__all__))
    assert all(hasattr(stepsize, name) for name in stepsize.__all__)
