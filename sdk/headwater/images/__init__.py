"""Pictures as scores on the principal directions that summed pixels fix, and scores as pictures again."""
