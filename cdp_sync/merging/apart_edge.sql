-- Edges less the new ones in clusters with members that were decided to stay apart.
delete from edge
where place is null and left_age in (select age from label semi join together using (label))
