"""Other ways to make a generator of the same budget than the default one, for comparison."""
