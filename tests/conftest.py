"""What holds for every test: no window opens, and hypothesis repeats the same examples."""

import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background, we ignore Ctrl-C, and the processes that tests interrupt would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["MPLBACKEND"] = "Agg"

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100)
# For a long look before a release: pytest --hypothesis-profile=thorough
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("ci")
