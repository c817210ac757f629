"""How much poison the aggregate shows: in rounds of training, in rounds of counts, over whole runs."""
