-- Kept accounts don't end by themselves: an operator has made them, or they had a proved address or number once. Of those
-- that are there it is not known. What an earlier release makes meanwhile counts as made by its user.
alter table users add column kept boolean not null default true, add column email_since timestamptz;
alter table users alter column kept set default false;
