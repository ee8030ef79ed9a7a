-- Decisions by rules that a guard stops by now.
update warehouse.decision
set revoked_at = $now
where rowid in (
    select place from standing
    except
    select place from edge where place is not null
)
