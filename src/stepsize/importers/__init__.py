"""Importers: schedules that other tools' configurations describe, read without those tools.

_configuration  a file, to its schedule         _detect   which tool a configuration belongs to
_section        key by key, so that none is overlooked    _run_facts   what the caller knows
_yaml, _literals   files as data: YAML, and Python files whose literals are read
_calls          the way back: a schedule as another tool's call
Each other file reads the configurations of one tool.
"""

from stepsize.importers._calls import TOOLS, to_call
from stepsize.importers._configuration import is_configuration, read_configuration
from stepsize.importers._deepspeed import from_deepspeed
from stepsize.importers._detect import FORMATS, from_config
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._keras import from_keras
from stepsize.importers._megatron import from_megatron
from stepsize.importers._mmengine import from_mmengine
from stepsize.importers._timm import from_timm
from stepsize.importers._transformers import from_transformers

__all__ = [
    "FORMATS",
    "TOOLS",
    "Format",
    "Imported",
    "from_config",
    "from_deepspeed",
    "from_keras",
    "from_megatron",
    "from_mmengine",
    "from_timm",
    "from_transformers",
    "is_configuration",
    "read_configuration",
    "to_call",
]
