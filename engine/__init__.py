"""What a game is: rules, boards, moves, search. Arrays in, arrays out; no torch, no clock, no I/O."""
