"""Whether the synthetic table treats groups of people otherwise than the real rows do."""
