-- What made profiles one that are taken apart.
update warehouse.decision
set revoked_at = $now
where kind = 'merge' and revoked_at is null and (
    (list_contains($leaving, left_id) and list_contains($staying, right_id))
    or (list_contains($leaving, right_id) and list_contains($staying, left_id))
)
