-- The rows of contacts, and of links, with their endings: of a mailing that is as it was delivered none is written.
create or replace table staging.selected as
with hashed as (
    select
        *,
        uuid_of(xor(
            bit_xor(md5_number(concat_ws(chr(31), link, profile_id, line))) over (partition by mailing),
            md5_number($fingerprint)
        )) as row_hash
    from staging.made
),
ended as (
    select
        hashed.*,
        case
            when not allowed then 'without_consent'
            when problems is not null then 'not_deliverable'
            when row_hash = known_hash then 'same'
            else 'written'
        end as ending
    from hashed
    join staging.mailing using (mailing)
)
select
    dense_rank() over (order by mailing, link) as part,
    mailing, link, profile_id, events, ending, row_hash, problems, cells,
    case when ending = 'written' then line end as line
from ended
order by mailing, link, first_at, profile_id
