"""What a record cannot show: things are taken away from a model, one after another, and the loss is asked each time.

asked = Asked(tokens, wanted, needed=…, irrelevant=…)
found = trials(model, asked)
report = diagnose(record, trials=found)      # or trials.examine.examine(model, asked), which does all of it
"""

from attn_course.diagnosis.trials.asked import Asked
from attn_course.diagnosis.trials.run import trials
from attn_course.diagnosis.trials.tried import Trials

__all__ = ["Asked", "Trials", "trials"]
