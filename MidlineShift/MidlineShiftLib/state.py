"""What the panel is doing; it alone decides which buttons work."""

from enum import Enum


class State(Enum):
    """Installing, Running and Cancelling keep a second start away; everything else is Idle."""

    Idle = "idle"
    Installing = "installing"
    Running = "running"
    Cancelling = "cancelling"
