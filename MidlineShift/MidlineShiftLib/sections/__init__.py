"""The panel's sections from top to bottom: each owns its widgets and knows the others only through the session."""
