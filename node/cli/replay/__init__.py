"""Recorded games for people: read from any file that holds games, played again, shown as text."""
