"""The command line: a thin face that asks the service and prints what it answers."""
