"""The nouns: frozen values that every layer above shares. No I/O, no clock, no environment."""
