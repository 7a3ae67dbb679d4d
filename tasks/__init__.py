"""The stages of a sync, one room each; the rooms do not know one another."""
