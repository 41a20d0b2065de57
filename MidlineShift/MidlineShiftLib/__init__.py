"""Parts of the Midline Shift panel: each file one part, each handed to the others behind a Protocol."""
