-- What strict imports expect of their files, by goal: what was learned last counts.
create table warehouse.learned_file (
    connection text,
    goal text,
    columns text[],
    type text,
    separator text,
    may_be_empty text[],
    learned_at timestamptz
);
