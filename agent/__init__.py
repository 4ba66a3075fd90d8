"""Running a Skill for one tick: what it is shown, what it may call, and who decides."""
