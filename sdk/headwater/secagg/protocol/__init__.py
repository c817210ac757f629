"""What both sides share: terms, a session's facts, Deals, phases, the chain of receipts."""
