"""Where state is kept: SQLite on one machine, PostgreSQL for several."""
