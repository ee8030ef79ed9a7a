-- By which link a member of a list was sent, and the digest of key and identifier: members that are known by an id of the
-- platform do not say. Null in rows of before, and where `key` and `id` are the link.
alter table warehouse.list_member add column link_key text;
alter table warehouse.list_member add column link_hash text;
