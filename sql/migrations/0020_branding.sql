-- What letters and pages show of a project. A table of its own: an old release writes none of it, and its lock on
-- `projects` stops no request.
create table branding (
    project_id       text primary key references projects on delete cascade,
    reply_to         text not null default '' check (length(reply_to) <= 254),
    support_address  text not null default '' check (length(support_address) <= 254),
    -- The app's own page, for "back to the app".
    app_url          text not null default '' check (app_url = '' or app_url ~ '^https?://' and length(app_url) <= 2048),
    -- Empty for the service's own colour.
    accent_color     text not null default '' check (accent_color ~ '^(#[0-9a-f]{6})?$'),
    footer_text      text not null default '' check (length(footer_text) <= 300),
    logo             bytea check (octet_length(logo) between 1 and 65536),
    logo_type        text check (logo_type in ('image/png', 'image/svg+xml')),
    -- Names a version of the logo, so that it can be cached without being read.
    logo_digest      text generated always as (encode(sha256(logo), 'hex')) stored,
    check ((logo is null) = (logo_type is null))
);

-- 0013 once more: a release before it could keep an address at a domain in Unicode while 0013 ran.

-- Punycode (RFC 3492) of a label that was kept, and so is in normal form and small letters already.
create function ascii_label(label text) returns text language plpgsql immutable strict as $$
declare
    digits constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    points int[] := array(select ascii(letter) from unnest(string_to_array(label, null)) with ordinality l (letter, place)
        order by place);
    made text := (select coalesce(string_agg(chr(point), '' order by place), '')
        from unnest(points) with ordinality p (point, place) where point < 128);
    basic int := char_length(made);
    handled int := basic;
    lowest int := 128;
    bias int := 72;
    delta int := 0;
    following int;
    point int;
    threshold int;
    step int;
    rest int;
begin
    if basic = cardinality(points) then
        return label;
    end if;
    if basic > 0 then
        made := made || '-';
    end if;
    while handled < cardinality(points) loop
        select min(p) into following from unnest(points) p where p >= lowest;
        delta := delta + (following - lowest) * (handled + 1);
        lowest := following;
        foreach point in array points loop
            if point < lowest then
                delta := delta + 1;
            elsif point = lowest then
                rest := delta;
                step := 36;
                loop
                    threshold := least(greatest(step - bias, 1), 26);
                    exit when rest < threshold;
                    made := made || substr(digits, threshold + (rest - threshold) % (36 - threshold) + 1, 1);
                    rest := (rest - threshold) / (36 - threshold);
                    step := step + 36;
                end loop;
                made := made || substr(digits, rest + 1, 1);
                delta := case when handled = basic then delta / 700 else delta / 2 end;
                delta := delta + delta / (handled + 1);
                step := 0;
                while delta > 455 loop
                    delta := delta / 35;
                    step := step + 36;
                end loop;
                bias := step + 36 * delta / (delta + 38);
                delta := 0;
                handled := handled + 1;
            end if;
        end loop;
        delta := delta + 1;
        lowest := lowest + 1;
    end loop;
    return 'xn--' || made;
end $$;

create function ascii_address(address text) returns text language sql immutable strict as $$
    select split_part(address, '@', 1) || '@' || string_agg(ascii_label(label), '.' order by place)
    from unnest(string_to_array(split_part(address, '@', 2), '.')) with ordinality l (label, place)
$$;

update users u set email = ascii_address(u.email)
where octet_length(u.email) > char_length(u.email) and not exists (
    select 1 from users o where o.project_id = u.project_id and o.email = ascii_address(u.email)
);

drop function ascii_address(text);
drop function ascii_label(text);
