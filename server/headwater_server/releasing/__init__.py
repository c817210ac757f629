"""From a candidate through the gate to a release that organisations signed."""
