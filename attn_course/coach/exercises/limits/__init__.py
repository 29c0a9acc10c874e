"""Lesson 13: what a margin costs in bits, PARITY built, the influence of one bit, brackets, the effective window."""
