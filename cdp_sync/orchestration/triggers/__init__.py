"""What starts a run: schedules, and sensors that look for new files."""
