"""Pages of jobs and runs, of the board of agents, of restorations and of drift."""
