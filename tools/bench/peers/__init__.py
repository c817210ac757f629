"""What others offer, driven directly so that it can be measured beside Headwater."""
