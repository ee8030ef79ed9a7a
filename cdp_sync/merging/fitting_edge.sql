-- Edges less those of a rule in clusters that do not fit.
delete from edge
where rule = $rule and left_age in (select age from label semi join misfit using (label))
