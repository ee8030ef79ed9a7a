-- Whether the addresses of an identifier have their domains in ASCII, as imports write them; null for "not looked at".
alter table warehouse.identifier_property add column domains_in_ascii boolean;
