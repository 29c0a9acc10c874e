"""`python -m attn_course` is the command `attn-course`."""

import sys

from attn_course.coach.cli import main

if __name__ == "__main__":
    sys.exit(main())
