-- Of a notice's link: whether its address was proved in the account's session by then. Null for other tokens, and for
-- links that the release before issues; of an account that has moved since, such a link holds that it was not.
alter table tokens add column if not exists proved_by_holder boolean;
