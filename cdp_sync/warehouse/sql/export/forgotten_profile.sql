-- What was delivered before of the profiles that were delivered now, or whose values read the same as before.
delete from warehouse.exported_profile known
using staging.profile_end staged
where known.connection = $connection and known.goal = $goal and known.profile_id = staged.profile_id
    and staged.ending in ('written', 'same')
