"""How the course trains a model: one loop, what it leaves behind, and what was trained before with it."""
