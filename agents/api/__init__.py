"""The public API of jobs, agents and restorations, a file for each subject."""
