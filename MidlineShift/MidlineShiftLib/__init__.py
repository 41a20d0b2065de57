"""Parts of the Midline Shift panel; the classes are handed to one another behind Protocols."""
