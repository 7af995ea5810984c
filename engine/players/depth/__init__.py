"""Players that look some turns ahead, with a fixed number of moves to try: alpha-beta, Paranoid, max^n, best reply."""
