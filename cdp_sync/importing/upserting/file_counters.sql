-- The counters of every file that was read, under the names and in the order of the contract.
create or replace temp table file_counters as
with rejected as (
    select file, count(*) as rows from staging.rejected group by file
),
invalid as (
    select file, sum(len(invalid)) as cells from staging.fresh where invalid is not null group by file
),
ends as (
    select
        file,
        sum(rows) filter (ending = 'applied') as applied,
        sum(rows) filter (ending = 'unchanged') as unchanged,
        sum(rows) filter (ending = 'set_aside') as set_aside,
        sum(rows) filter (ending = 'without_identifier') as without_identifier,
        sum(rows) filter (ending = 'unmatched') as unmatched,
        sum(rows) filter (ending = 'without_consent') as without_consent,
        sum(ambiguous) as ambiguous
    from row_end
    group by file
)
select
    file.file,
    coalesce(applied, 0) + coalesce(ends.unchanged, 0) + coalesce(rejected.rows, 0) + coalesce(set_aside, 0)
        + coalesce(without_identifier, 0) + coalesce(unmatched, 0) + coalesce(without_consent, 0) as rows_read,
    coalesce(applied, 0) as rows_applied,
    coalesce(ends.unchanged, 0) as rows_unchanged,
    coalesce(rejected.rows, 0) + coalesce(set_aside, 0) as rows_rejected,
    coalesce(without_identifier, 0) as rows_without_identifier,
    coalesce(unmatched, 0) as rows_unmatched,
    coalesce(without_consent, 0) as rows_without_consent,
    coalesce(profile_end.created, 0) as profiles_created,
    coalesce(profile_end.updated, 0) as profiles_updated,
    coalesce(profile_end.unchanged, 0) as profiles_unchanged,
    coalesce(ends.ambiguous, 0) as rows_ambiguous,
    coalesce(invalid.cells, 0) as values_invalid
from staging.file file
left join rejected using (file)
left join invalid using (file)
left join ends using (file)
left join profile_end using (file)
where file.state in ('staged', 'retried')
