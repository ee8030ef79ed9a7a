-- How the candidates ended in the last run: as the exceptions say, or else as the ledger has them.
select ending, count(*)
from (
    select coalesce(exception.ending, case when known.profile_id is not null then 'same' end) as ending
    from (select distinct profile_id from staging.candidate) candidate
    left join (
        select profile_id, ending from warehouse.export_exception where goal_number = $number
    ) exception using (profile_id)
    left join staging.candidate_row known using (profile_id)
)
where ending <> 'left'
group by ending
