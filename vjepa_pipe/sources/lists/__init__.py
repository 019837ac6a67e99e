"""Lists of videos and images, one module for each layout on disk."""
