"""How a candidate moves: gates, transitions, nurture and its wake date."""
