"""Rows as columns in memory that workers share, and the cache of parsed files."""
