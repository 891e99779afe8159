-- What is still owed to an address that was kept in Unicode is owed to the same address in ASCII: nothing was ever sent
-- to it. Links first, then their letters: so does every act that takes both.
update tokens set email = ascii_address(email) where octet_length(email) > char_length(email);
update mails set recipient = ascii_address(recipient)
where state in ('pending', 'sending') and octet_length(recipient) > char_length(recipient);

drop function ascii_address(text);
drop function ascii_label(text);
