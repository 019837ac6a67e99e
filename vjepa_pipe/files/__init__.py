"""Files of other people, read within bounds, and files of ours, written whole."""
