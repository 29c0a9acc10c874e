"""A course, in Jupyter, on self-attention and how it fails.

The rooms, ground floor first: `attention`, `models` and `tasks`, `training`, `show`, `coach`. A room imports
only from floors below it. This file imports none of them: `attn-course list` must answer without waiting for torch.
"""

__version__ = "0.1.0"
