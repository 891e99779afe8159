-- no-transaction
-- Phone numbers and SMS. Each of these transactions locks one busy table, and each may run again after a lock timeout:
-- then what is there already stays.

begin;
set local lock_timeout = '5s';
alter table users
    add column if not exists phone text,
    -- Raised with each change: a code for an earlier number opens nothing.
    add column if not exists phone_version int not null default 0,
    -- When its holder last proved it; null for a number that is not proved.
    add column if not exists phone_verified_at timestamptz,
    -- The proof came with a session of the account, or an operator vouches for it. Else whoever made the account may
    -- have had the holder of the number type the code for it: such a number opens no account.
    add column if not exists phone_by_holder boolean not null default false;
-- What a number was before each change, for the undo link of the notice.
create table if not exists phone_changes (
    project_id  text not null,
    user_id     text not null,
    id          bigint generated always as identity,
    phone       text,
    verified_at timestamptz,
    by_holder   boolean not null,
    changed_at  timestamptz not null default now(),
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
commit;

begin;
set local lock_timeout = '5s';
alter table projects
    -- Beginnings of numbers that SMS may go to; none for no SMS at all.
    add column if not exists sms_countries text[] not null default '{}',
    -- Numbers for tests with their codes; no SMS goes to them.
    add column if not exists mock_phones jsonb not null default '{}';
create table if not exists sms (
    project_id  text not null references projects,
    id          uuid not null,
    kind        text not null check (kind in ('phone_login', 'phone_verification', 'mfa_phone')),
    user_id     text,
    token_id    text not null,
    recipient   text not null,
    locale      text not null,
    state       text not null default 'pending'
                check (state in ('pending', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'void')),
    attempts    int not null default 0,
    -- Attempts that may have reached the phone.
    sends       int not null default 0,
    -- Pending: when to try next. Sending: when the lease of lease_by runs out.
    due_at      timestamptz not null default now(),
    lease_by    text,
    -- When its code expires.
    deadline_at timestamptz not null,
    last_code   int,
    last_fault  text,
    created_at  timestamptz not null default now(),
    ended_at    timestamptz,
    -- When the code was typed in.
    used_at     timestamptz,
    primary key (id, project_id)
);
create index if not exists sms_due on sms (due_at) where state in ('pending', 'sending');
create index if not exists sms_of_token on sms (project_id, token_id);
create index if not exists sms_by_age on sms (project_id, created_at);
commit;

-- Until the transaction ends nobody else gives this number to an account as proved. Locks have one order: addresses and
-- numbers, users, tokens.
create or replace function claim_number(project text, number text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(project || ' ' || number, 1))
$$;

-- What else opens an account than its number.
create or replace function has_other_way_in(account users) returns boolean language sql stable as $$
    select account.password_hash is not null or (account.email is not null and account.email_verified) or exists (
        select from authenticators a
        where a.project_id = account.project_id and a.user_id = account.id and a.verified_at is not null
            and a.removed_at is null
    ) or exists (
        select from passkeys k
        where k.project_id = account.project_id and k.user_id = account.id and k.removed_at is null
    )
$$;

-- Who has proved a number has it alone: others lose it. Their holders never showed that it is theirs.
create or replace function give_number(project text, number text, holder text) returns void language plpgsql as $$
begin
    update users set phone = null, phone_version = phone_version + 1, phone_verified_at = null,
        phone_by_holder = false, updated_at = now()
    where project_id = project and id in (
        select id from users where project_id = project and phone = number and id is distinct from holder
        order by id for update
    );
end $$;

-- The user of a number that has just been proved, locked; made now if no account's own holder has proved it.
create or replace function ensure_user_of_number(project text, ids text[], number text)
returns table (account users, created boolean) language plpgsql as $$
declare
    given_id text;
    made users;
begin
    perform claim_number(project, number);
    return query select u, false from users u
    where u.project_id = project and u.phone = number and u.phone_verified_at is not null and u.phone_by_holder
    for update;
    if found then
        return;
    end if;
    perform give_number(project, number, null);
    foreach given_id in array ids loop
        insert into users (project_id, id, name, phone, phone_version, phone_verified_at, phone_by_holder)
        values (project, given_id, '', number, 1, now(), true)
        on conflict do nothing returning * into made;
        if found then
            return query select made, true;
            return;
        end if;
    end loop;
end $$;

begin;
set local lock_timeout = '5s';
-- Writes to users wait while the table is read once; no row has a number yet, so nothing is written.
create unique index if not exists users_by_phone on users (project_id, phone) where phone_verified_at is not null;
create index if not exists users_of_phone on users (project_id, phone) where phone is not null;
commit;
