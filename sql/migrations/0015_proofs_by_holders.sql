-- False: the address was proved by somebody who showed neither the account's session nor a password for it, as whoever
-- opens a mailed link in another browser does. A stranger may have made the account: the first sign-in by mail after
-- such a proof ends the sessions and the password that were there.
alter table users add column proved_by_holder boolean not null default true;
