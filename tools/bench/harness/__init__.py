"""What every benchmark here shares: kept rows, numbers to reach, tables."""
