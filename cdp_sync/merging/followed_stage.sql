-- The stages of profiles that are live in place of others, or of more: their own, or else those of the profiles that were
-- shown before, the latest first. Where several were in this stage, since the first of them entered it.
create or replace temp table followed_stage as
with shown as (
    select distinct new_live as profile_id, old_live
    from cluster
    where new_live in (select new_live from cluster where old_live <> new_live)
)
select kept.lifecycle, shown.profile_id, kept.stage, min(kept.since) as since
from shown
join warehouse.lifecycle_stage kept on kept.profile_id = shown.old_live
group by kept.lifecycle, shown.profile_id, kept.stage
qualify row_number() over (
    partition by kept.lifecycle, shown.profile_id
    order by bool_or(shown.old_live = shown.profile_id) desc, max(kept.since) desc, kept.stage desc
) = 1
