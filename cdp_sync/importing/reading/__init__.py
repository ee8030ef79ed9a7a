"""From the bytes of a file to rows: every line is accounted for."""
