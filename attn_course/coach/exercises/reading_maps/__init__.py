"""Lesson 08: do two orders agree, a key hidden, all layers in a row, weights that bring something, a head put back."""
