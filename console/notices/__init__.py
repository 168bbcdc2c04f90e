"""Who is told what, by e-mail and by webhook, and how it gets there."""
