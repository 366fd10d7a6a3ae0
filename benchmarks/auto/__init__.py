"""How good is a rate and a plan that somebody chose, and what did choosing cost?

Small trainings with a tuned reference, procedures that do not know it, and R, the distance between
them. ``python -m benchmarks.auto`` has three commands:

``reference``  tunes every task by a grid of rates × schedules, writes ``reference.json``: half an
               hour of one core. Finished runs are kept in ``.benchmarks/auto``.
``run``        runs the procedures, and goes on where it was interrupted.
``table``      prints the comparison, or writes it into a page.

A new task is a ``Task`` in one of the families that ``tasks`` lists; a new procedure is an entry of
``procedures.PROCEDURES``.
"""
