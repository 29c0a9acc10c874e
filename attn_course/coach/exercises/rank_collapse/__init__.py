"""Lesson 11: the residual, attention layer by layer, what one map lets through, paths, and layers that starve."""
