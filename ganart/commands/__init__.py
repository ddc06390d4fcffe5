"""What each command of the command line does; `cli` says how they are called. Results go to stdout."""
