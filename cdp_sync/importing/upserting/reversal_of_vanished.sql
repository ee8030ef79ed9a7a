insert into reversal
select profile_id, file, sums from (select profile_id, file, sums, unnest(range(times)) from vanished_row)
