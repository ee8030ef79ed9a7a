"""From linked rows to profiles: fold, apply, and write ledger, history and quarantine."""
