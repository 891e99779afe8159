-- Indexes that hold no constraint, with the statement that makes each.
select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition and not i.indisunique
order by pg_relation_size(i.indrelid), 1;
