"""Lesson 10: how much a sink takes, a key that holds nothing, scores that grow, a cache that rolls, harmless rest."""
