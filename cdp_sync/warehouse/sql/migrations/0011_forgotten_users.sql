-- Users that their platform has forgotten at their request, and refuses from then on: the MD5 of key and identifier.
create table warehouse.forgotten_user (
    connection text,
    user_hash text
);
