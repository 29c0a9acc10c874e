"""Lesson 06: a block, what is read and what is written, a look at another text, alignment error, your own attention."""
