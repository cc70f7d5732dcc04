"""The promise as a whole: kills, random histories, recorded days and invented years."""
