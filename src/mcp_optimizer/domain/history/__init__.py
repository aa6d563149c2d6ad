"""What was: earlier states of the store, and two states compared. Pure."""
