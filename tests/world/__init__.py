"""The world around the program in tests: arXiv, mail servers, GitHub, a browser."""
