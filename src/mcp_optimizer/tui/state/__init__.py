"""What the screens know: data, jobs, saved state, rows. No widgets."""
