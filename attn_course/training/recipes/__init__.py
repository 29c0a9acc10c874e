"""How each shipped model was made: a file for each, holding `RECIPES`."""
