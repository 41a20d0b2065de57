"""What the panel is doing; it alone decides which buttons work."""

from enum import Enum


class State(Enum):
    """Every state but Idle prevents a second start.

    Running measures, GeneratingPseudoHealthy makes the pseudo-healthy image of a measurement.
    """

    Idle = "idle"
    Installing = "installing"
    Running = "running"
    GeneratingPseudoHealthy = "generating pseudo-healthy"
    Cancelling = "cancelling"

    @property
    def usesChild(self) -> bool:
        """Whether a child process works for the panel."""
        return self in (State.Running, State.GeneratingPseudoHealthy)
