"""Whole models: for now, pretrained ones that are read head by head."""
