"""Spotler: the exchange of files by SFTP. Strict imports of contacts, with a report by mail."""
