"""The world around the program in tests: arXiv, mail servers, GitHub, clocks, and what helps to look."""
