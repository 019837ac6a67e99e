"""What `task=index` found out about each file."""
