"""The whole console in processes of its own, hurt on purpose while it works, and then questioned.

`python -m tests.chaos --seed 7 --minutes 10`; docs/reliability.md says what it proves.
"""
