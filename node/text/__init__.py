"""What people read: numbers, ids and times as text, and a sentence for each effect of the order."""
