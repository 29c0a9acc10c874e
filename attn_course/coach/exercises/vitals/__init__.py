"""Lesson 09: vitals without the map, in strips, by a probe and by keys that ask; idle sinks; where two runs part."""
