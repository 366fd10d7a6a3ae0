"""``python -m benchmarks.auto reference | run | table``."""

from benchmarks.auto.command import main

main()
