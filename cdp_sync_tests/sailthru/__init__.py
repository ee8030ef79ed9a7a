"""End-to-end tests of a Sailthru connection through Dagster: lists become profiles, segments become users."""
