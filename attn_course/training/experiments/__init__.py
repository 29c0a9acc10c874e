"""Measurements that take longer than a lesson may: a file for each, holding `measure()`."""
