"""Importers: schedules that other tools' configurations describe, read without those tools."""

from stepsize.importers import (
    _deepspeed,
    _detect,
    _imported,
    _keras,
    _megatron,
    _mmengine,
    _timm,
    _transformers,
)
from stepsize.importers._deepspeed import *
from stepsize.importers._detect import *
from stepsize.importers._imported import *
from stepsize.importers._keras import *
from stepsize.importers._megatron import *
from stepsize.importers._mmengine import *
from stepsize.importers._timm import *
from stepsize.importers._transformers import *

__all__: list[str] = []
__all__ += _deepspeed.__all__
__all__ += _detect.__all__
__all__ += _imported.__all__
__all__ += _keras.__all__
__all__ += _megatron.__all__
__all__ += _mmengine.__all__
__all__ += _timm.__all__
__all__ += _transformers.__all__
