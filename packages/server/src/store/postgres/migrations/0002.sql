-- Events of one commit wait together, as nearly all are noted together. id: the first of ids, which
-- are sorted.
alter table unindexed_events add column ids text[] collate "C";
update unindexed_events set ids = array[id];
alter table unindexed_events alter column ids set not null;
