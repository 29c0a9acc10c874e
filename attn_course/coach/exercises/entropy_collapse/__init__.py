"""Lesson 12: how far entropy can fall, QK-norm, a spectral norm held, scores clipped, and which signal came first."""
