"""The command line: ``stepsize plot``, ``compare``, ``describe``, ...; one file per command."""

from stepsize.cli.program import *
