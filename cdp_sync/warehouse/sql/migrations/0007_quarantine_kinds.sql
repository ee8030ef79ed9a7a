-- kind: the counter that the row or cell is counted in. The asset checks count what stands in the quarantine by it.
-- row_hash: digest of the row whose cell did not convert; seen_run_id: the run that last read that row, unchanged.
alter table warehouse.quarantine add column kind text;
alter table warehouse.quarantine add column row_hash uuid;
alter table warehouse.quarantine add column seen_run_id text;

update warehouse.quarantine
set kind = case
    when (run_id, connection, goal) in (
        select (run_id, connection, goal) from warehouse.run where direction = 'export'
    ) then 'profiles_not_deliverable'
    when raw is not null or reason in (
        'no value in the fields of row_key', 'a later row of the file has the same row_key; the last one counts'
    ) then 'rows_rejected'
    when reason = 'no usable identifier' then 'rows_without_identifier'
    when reason = 'no profile has this identifier, and the goal creates none' then 'rows_unmatched'
    when reason = 'no consent for the connection''s objectives' then 'rows_without_consent'
    else 'values_invalid'
end;
