"""Lesson 04: features split among heads, many heads at once, shared keys, one step with a cache, heads held to ties."""
