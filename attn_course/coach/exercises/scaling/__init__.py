"""Lesson 02: how far scores spread, entropy, the gradient of softmax, half precision, a scale for a wanted entropy."""
