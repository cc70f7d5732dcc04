"""What `digest doctor` looks at: each check on its own, whatever is wrong with the others."""
