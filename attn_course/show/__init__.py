"""Every picture of the course: figures, widgets, pages. Nothing below this room draws."""
