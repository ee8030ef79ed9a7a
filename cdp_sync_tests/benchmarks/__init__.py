"""The yardstick: what an import costs against a script written by hand for the same job."""
