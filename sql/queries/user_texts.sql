-- name: sample_user_texts(project_id, search, search_email, name_part, email_part, phone_part, share)
-- How many texts have these parts in a random share of the table's pages, in percent.
select count(*) from user_texts tablesample system (:share::float8)
where project_id = :project_id
    and (:search::text is null or strpos(lower(id), lower(:search)) > 0 or strpos(email, :search_email::text) > 0
        or strpos(phone, :search) > 0 or strpos(name, lower(:search)) > 0)
    and (:name_part::text is null or strpos(name, lower(:name_part)) > 0)
    and (:email_part::text is null or strpos(email, :email_part) > 0)
    and (:phone_part::text is null or strpos(phone, :phone_part) > 0);

-- name: rank_pieces(project_id, pieces, most, share) -> Piece*
-- The rarest of some pieces, in small letters, in a random share of the table's pages, in percent.
with sampled as materialized (
    select concat_ws(' ', email, phone, name, lower(id)) as texts from user_texts tablesample system (:share::float8)
    where project_id = :project_id
)
select p.piece, (select count(*) from sampled where strpos(texts, p.piece) > 0)::int as hits,
    (select count(*) from sampled)::int as sampled
from unnest(:pieces::text[]) with ordinality p (piece, place) order by hits, place limit :most;

-- name: find_users_by_text(project_id, search, search_email, name_part, email_part, phone_part, search_like, search_email_like, name_like, email_like, phone_like, most) -> UserId*
-- The last five are patterns of `like` that each text with such a part matches: by them the index finds candidates.
-- Each column has its own entries in it.
with candidates as materialized (
    select id, email, phone, name from user_texts
    where project_id = :project_id
        and (:search_like::text is null or lower(id) like lower(:search_like) or email like :search_email_like::text
            or phone like :search_like or name like lower(:search_like))
        and (:name_like::text is null or name like lower(:name_like))
        and (:email_like::text is null or email like :email_like)
        and (:phone_like::text is null or phone like :phone_like)
)
select id from candidates
where (:search::text is null or strpos(lower(id), lower(:search)) > 0 or strpos(email, :search_email::text) > 0
        or strpos(phone, :search) > 0 or strpos(name, lower(:search)) > 0)
    and (:name_part::text is null or strpos(name, lower(:name_part)) > 0)
    and (:email_part::text is null or strpos(email, :email_part) > 0)
    and (:phone_part::text is null or strpos(phone, :phone_part) > 0)
limit :most;

-- name: find_users_by_prefix(project_id, search, search_email, most) -> UserId*
-- Whose id, address, number or name begins so. Ranges, since no plan for any pattern uses an index of this kind; they
-- end with the last character that there is.
select id from (
    (select id from user_texts where project_id = :project_id and email ~>=~ :search_email::text
        and email ~<=~ (:search_email || U&'\+10FFFF') limit :most::int)
    union
    (select id from user_texts where project_id = :project_id and phone ~>=~ :search::text
        and phone ~<=~ (:search || U&'\+10FFFF') limit :most)
    union
    (select id from user_texts where project_id = :project_id and name ~>=~ lower(:search)
        and name ~<=~ (lower(:search) || U&'\+10FFFF') limit :most)
    union
    (select id from user_texts where project_id = :project_id and lower(id) ~>=~ lower(:search)
        and lower(id) ~<=~ (lower(:search) || U&'\+10FFFF') limit :most)
) found limit :most;

-- name: create_trigrams()
-- Where the server has the module and the role may; in a schema of its own, since it brings many functions.
select create_trigrams();

-- name: trigram_index()
-- The statement that makes the index, and those that drop what it replaces; nothing where it is there already, or where
-- the server has no pg_trgm.
select format('create index concurrently if not exists user_texts_trigrams on user_texts using gin '
    '(email %1$s, name %1$s, phone %1$s, lower(id) %1$s)', e.extnamespace::regnamespace || '.gin_trgm_ops')
    || (
        select coalesce(string_agg(format('; drop index concurrently %s', indexrelid::regclass), ''), '') from pg_index
        where indrelid = 'user_texts'::regclass and indexrelid::regclass::text like 'user\_texts\_%\_prefix'
    )
from pg_extension e
where e.extname = 'pg_trgm'
    and not exists (select from pg_index where indexrelid = to_regclass('user_texts_trigrams') and indisvalid);

-- name: prefix_indexes()
-- The statements that make those that are missing, for a server without pg_trgm; nothing where all are there.
select string_agg(format('create index concurrently if not exists user_texts_%s_prefix on user_texts '
    '(project_id, %s text_pattern_ops)', t.name, t.expression), '; ' order by t.name)
from (values ('email', 'email'), ('phone', 'phone'), ('name', 'name'), ('id', 'lower(id)')) t (name, expression)
where not exists (
    select from pg_index where indexrelid = to_regclass('user_texts_' || t.name || '_prefix') and indisvalid
);

-- name: list_projects_to_fill() -> ProjectId*
select id from projects order by id;

-- name: fill_user_texts(project_id, id, most) -> UserId?
-- The texts of a project's users that were there before the table, those after this one; the last one of them. A user
-- who is being deleted is waited for.
with batch as (
    select project_id, id, email, phone, name from users
    where project_id = :project_id and id > :id order by id limit :most for key share
), filled as (
    insert into user_texts (project_id, id, email, phone, name)
    select project_id, id, email, phone, lower(name) from batch on conflict do nothing
)
select id from batch order by id desc limit 1;
