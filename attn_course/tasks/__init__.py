"""Data whose truth is known: tasks made for one question each."""
