insert into back_entry
select profile_id, file, sums from (select profile_id, file, sums, unnest(range(times)) from vanished)
