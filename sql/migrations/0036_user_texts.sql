-- What users are searched by, apart from the row that each sign-in writes anew: its index has many entries a row.
-- `migrate` fills it and makes the index where the server has pg_trgm.
create table user_texts (
    project_id text not null,
    id         text not null,
    email      text,
    phone      text,
    -- In lower case.
    name       text not null,
    primary key (project_id, id)
);

create function keep_user_texts() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from user_texts where project_id = old.project_id and id = old.id;
    else
        insert into user_texts (project_id, id, email, phone, name)
        values (new.project_id, new.id, new.email, new.phone, lower(new.name))
        on conflict (project_id, id) do update
            set email = excluded.email, phone = excluded.phone, name = excluded.name;
    end if;
    return null;
end $$;

create trigger users_texts after insert or delete on users for each row execute function keep_user_texts();

create trigger users_texts_changed after update of email, phone, name on users for each row
    when (old.email is distinct from new.email or old.phone is distinct from new.phone or old.name <> new.name)
    execute function keep_user_texts();

create function create_trigrams() returns boolean language plpgsql as $$
begin
    if exists (select from pg_available_extensions where name = 'pg_trgm' and installed_version is null) then
        create schema if not exists trigrams;
        create extension pg_trgm schema trigrams;
    end if;
    return exists (select from pg_extension where extname = 'pg_trgm');
exception when insufficient_privilege then
    return false;
end $$;
