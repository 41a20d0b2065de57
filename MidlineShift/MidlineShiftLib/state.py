"""What the panel is doing; it alone decides which buttons work."""

from enum import Enum


class State(Enum):
    """Everything but Idle keeps a second start away. Running measures, Painting makes the pseudo-healthy image."""

    Idle = "idle"
    Installing = "installing"
    Running = "running"
    Painting = "painting"
    Cancelling = "cancelling"
