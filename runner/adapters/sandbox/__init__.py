"""The one door to confinement: a backend a file, strongest first."""
