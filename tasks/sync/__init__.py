"""One run: the order in which the rooms work, and what surrounds them. The only place that knows all five."""
