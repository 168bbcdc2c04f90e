"""Who else's rows do ours refer to? By name, because their modules are not ours to import."""

WORKSPACE = "access.Workspace"
PERSON = "access.User"
STATE = "snapshots.State"
