"""How often is the doctor right? Small models, sick and sound, whose truth is known, and what it says of each."""
