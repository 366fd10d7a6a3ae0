"""All tasks. A new one is a ``Task`` in the ``TASKS`` of its family, or a family listed here."""

from benchmarks.auto import images, tables, text

__all__ = ["TASKS"]

TASKS = {task.name: task for family in (images, text, tables) for task in family.TASKS}
