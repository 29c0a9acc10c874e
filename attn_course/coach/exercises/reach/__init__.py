"""Lesson 07: a head that looks back, two losses, two cheap ways to retrain, and who looks at which picture."""
