"""NNUE: a small network over sparse features, whose first layer is kept up to date move by move, in integers."""
