"""Negative controls, one file a lesson: CONTROLS maps a claim's id to Python that breaks its experiment."""
