"""What the panel is doing; it alone decides which buttons work."""

from enum import Enum


class State(Enum):
    """Every state but Idle prevents a second start.

    Running measures, Showing puts a result into the scene, GeneratingPseudoHealthy makes the pseudo-healthy image of a
    measurement, Exporting writes its files.
    """

    Idle = "idle"
    Installing = "installing"
    Running = "running"
    Showing = "showing"
    GeneratingPseudoHealthy = "generating pseudo-healthy"
    Exporting = "exporting"
    Cancelling = "cancelling"

    @property
    def working(self) -> bool:
        """Return whether something goes on for the panel that can be cancelled."""
        return self in (State.Running, State.Showing, State.GeneratingPseudoHealthy, State.Exporting)
