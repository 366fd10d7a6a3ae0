"""``python -m stepsize.cli``: the command line where the script ``stepsize`` is not on the path."""

from stepsize.cli import main

main()
