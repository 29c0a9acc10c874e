"""Lesson 03: the causal matrix, a window, packed documents, attention under a mask, and a probe for leaks."""
