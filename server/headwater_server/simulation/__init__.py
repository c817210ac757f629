"""A run without processes and masks: recipe, contributions and integers are the same (protocol 2.5)."""
