"""What went wrong elsewhere, tried here: one test an advisory, named after it (reliability.md 2.11, G20).

Only the shape of each attack is replayed; where an advisory says little, its test says "the class of".
"""
