"""Finding the training in a user's Python file."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from stepsize.errors import StepsizeError, TrainingError
from stepsize.training import Training
from stepsize.words import did_you_mean, list_text

__all__ = ["described", "load_function", "load_training"]

_DEFAULT_NAME: Final = "training"


def load_training(target: str) -> Training:
    """The training that ``FILE.py[:name]`` defines.

    ``name`` (``training`` if not given) is a training, or a function without arguments that returns
    one. The file is run as Python code, like any script.

    Raises:
        TrainingError: There is no such file or name, the file fails, or the thing is not a
            training.
    """
    path, name = _split(target)
    found = _found(path, name, f"{name}()")
    if callable(found) and not isinstance(found, Training):
        _require_no_arguments(found, path, name)
        try:
            found = found()
        except StepsizeError:
            raise
        except Exception as error:
            raise TrainingError(
                f"{path}:{name}", f"{name}() must return a training", f"raised {described(error)}"
            ) from error
    if not isinstance(found, Training):
        raise TrainingError(
            f"{path}:{name}",
            "it must be a training or a function that returns one",
            f"gives {_kind(found)}",
            "Return a TorchTraining(model, optimizer, loss, batches).",
        )
    return found


def load_function(target: str) -> Any:
    """What ``FILE.py[:name]`` defines, to be called with a seed; ``name`` is as above.

    Raises:
        TrainingError: There is no such file or name, or the file fails.
    """
    path, name = _split(target)
    return _found(path, name, f"{name}(seed)")


def described(error: Exception) -> str:
    """Type, text and place of what user code raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename})" if trace else ""
    return f"{type(error).__name__}: {error}{line}"


def _found(path: Path, name: str, wanted: str) -> Any:
    module = _run_file(path)
    if not hasattr(module, name):
        public = [each for each in vars(module) if not each.startswith("_")]
        raise TrainingError(
            str(path),
            f"the file must define {wanted}, which returns a TorchTraining",
            f"defines no {name!r}",
            f"Define it, or name another one: {path}:NAME. {did_you_mean(name, public)}",
        )
    return getattr(module, name)


def _kind(found: object) -> str:
    kind = type(found).__name__
    return f"an {kind}" if kind[0] in "aeiouAEIOU" else f"a {kind}"


def _require_no_arguments(function: Callable[..., Any], path: Path, name: str) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some callables in C tell no signature; calling them tells more
        return
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [
        each.name
        for each in parameters
        if each.default is inspect.Parameter.empty and each.kind not in optional
    ]
    if missing:
        raise TrainingError(
            f"{path}:{name}",
            "it is called without arguments",
            f"{name}() needs {list_text(missing)}",
            f"Give defaults: def {name}({', '.join(f'{each}=0' for each in missing)}).",
        )


def _split(target: str) -> tuple[Path, str]:
    # A Windows path has a colon too: only what follows the suffix is a name.
    head, colon, tail = target.rpartition(":")
    if colon and head.endswith(".py"):
        return Path(head), tail or _DEFAULT_NAME
    return Path(target), _DEFAULT_NAME


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TrainingError(
            str(path),
            "a Python file that defines training() is needed",
            "there is no such file",
            "Example: examples/digits.py.",
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TrainingError(
            str(path),
            "a Python file is needed",
            f"its name ends in {path.suffix!r}",
            "The name must end in .py.",
        )
    module = importlib.util.module_from_spec(spec)
    # Worker processes of a data loader and pickles look the file's classes up by module name.
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except StepsizeError:
        raise
    except Exception as error:
        raise TrainingError(
            str(path), "the file must run", f"could not be run: {described(error)}"
        ) from error
    return module
