"""What starts a run: schedules, and sensors that look for new files and for mailings that are due."""
