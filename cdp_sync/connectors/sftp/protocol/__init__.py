"""SFTP version 3 as messages: requests and replies. Knows neither files nor directories of this machine."""
