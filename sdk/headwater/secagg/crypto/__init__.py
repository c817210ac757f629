"""The primitives: keys, the ring, masks, sharing, sealing. Nothing here knows of messages or parties."""
