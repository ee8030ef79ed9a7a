"""Goals that are part of a lifecycle: stages, caps, and the touches that a run reserves and records."""
