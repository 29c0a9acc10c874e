"""Lesson 15: words that go with a label, the worst group, weights that lean to it, marks exchanged, calibration."""
