"""How the course trains a model."""
