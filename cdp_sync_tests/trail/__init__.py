"""End-to-end tests: from the server into the warehouse and back, including faults and crashes."""
