with here as (
    select profile_id, stage, since as entered_at
    from warehouse.lifecycle_stage
    where lifecycle = $lifecycle and list_contains($stages::text[], stage)
),
capped as (
{capped}
)
select profile.*, here.stage, capped.until as capped_until
from (
{source}
) profile
left join here using (profile_id)
left join capped using (profile_id)
