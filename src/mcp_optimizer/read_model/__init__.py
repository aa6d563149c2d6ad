"""What faces show: views of the store, its changes, running servers and their queries."""
