"""The public API of proposals, decisions and policies, a file for each subject."""
