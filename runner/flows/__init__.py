"""Stories: each module tells one, top to bottom, from decisions and actions."""
