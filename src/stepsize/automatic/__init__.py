"""The whole run: its rate found, its schedule planned, trained under guard, recorded, reported."""

from stepsize.automatic._autopilot import AutopilotRun, autopilot
from stepsize.automatic._preparation import Level, Preparation, Progress

__all__ = ["AutopilotRun", "Level", "Preparation", "Progress", "autopilot"]
