"""SMTP: hands mail to a server."""
