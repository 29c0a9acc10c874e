"""Whole models: blocks and what is built of them, real weights in them, and real models read head by head."""
