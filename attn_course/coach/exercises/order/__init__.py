"""Lesson 05: a test for equivariance, waves, turned queries and keys, a price on distance, places in a padded batch."""
