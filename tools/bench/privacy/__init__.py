"""What releases with differential privacy are worth, beside peers and beside no privacy."""
