"""Lesson 01: scores, softmax, attention, a query that asks for one key, and who is listened to."""
