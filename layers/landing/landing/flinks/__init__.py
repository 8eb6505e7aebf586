"""Flinks' wire and words: what it is asked, what it answers and what that means. Knows nothing of AWS."""
