"""One small palette: the same colour for the same thing in all lessons.

The hues are Okabe and Ito's (2008), told apart by readers with any common form of colour blindness. Amounts are drawn
in cividis, which also survives a black-and-white printer. Never red against green.
"""

QUERY = "#0072B2"  # blue
KEY = "#E69F00"  # orange
VALUE = "#009E73"  # bluish green
OUTPUT = "#56B4E9"  # sky blue
SINK = "#CC79A7"  # reddish purple
FAULT = "#D55E00"  # vermilion
REMEDY = "#0072B2"  # blue: fault and remedy are vermilion and blue, never red and green
QUIET = "#8A8A8A"  # reference lines, what is not the message

AMOUNT = "cividis"  # colour map for weights and other amounts from zero up
PAPER = "#FCFCFA"  # a figure brings its own paper, so that it reads the same on a light and on a dark page
INK = "#1F2328"
