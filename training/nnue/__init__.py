"""How NNUE networks are trained: from the outcomes of games, the values of their searches, and a larger network."""
