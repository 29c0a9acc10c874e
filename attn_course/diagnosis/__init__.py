"""Finding out what is wrong with a model: vitals, what watches them, and the doctor."""
