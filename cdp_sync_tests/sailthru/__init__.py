"""The whole way of a Sailthru connection: lists become profiles, segments become users, through Dagster."""
