-- By place: DuckDB decodes the vectors that hold them and no others.
create or replace table staging.candidate_profile as
select profile.*
from candidate_place
join warehouse.profile profile on profile.rowid = candidate_place.place
where profile.merged_into is null
