-- Which warehouse this is, and which history of runs on a database server it belongs to, if any.
create table warehouse.identity as
select uuid() as warehouse_id, null::uuid as history_id, null::text as history_place;
