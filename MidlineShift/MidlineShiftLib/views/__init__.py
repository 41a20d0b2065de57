"""What the panel draws: the arrangement of slice views, the plot, the table, and the texts and colours of a result."""
