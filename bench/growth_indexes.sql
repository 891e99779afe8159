-- Indexes that hold no constraint, with the statement that makes each.
-- Of a partitioned table: with its partitions.
select i.indexrelid::regclass::text, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition and not i.indisunique
order by pg_relation_size(i.indrelid), 1;
