"""What holds for every test: no window opens, and hypothesis repeats the same examples."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100)
# For a long look before a release: pytest --hypothesis-profile=thorough
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("ci")
