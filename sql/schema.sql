-- The whole schema after all migrations, for reading. Made by `python -m testkit.schema`; a test keeps it true.
-- To change the schema write a migration. The monthly partitions of a table are made while the service runs.

create table acts (
    project_id text not null,
    id uuid not null,
    created_at timestamp with time zone default now() not null,
    undone boolean default false not null,
    constraint acts_pkey PRIMARY KEY (project_id, id)
);
CREATE INDEX acts_by_age ON public.acts USING btree (created_at);

create table api_keys (
    project_id text not null,
    id text not null,
    name text not null,
    secret_hash bytea not null,
    scopes text[] not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    constraint api_keys_pkey PRIMARY KEY (project_id, id),
    constraint api_keys_project_id_secret_hash_key UNIQUE (project_id, secret_hash),
    constraint api_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
);

create table apps (
    project_id text not null,
    app text not null,
    created_at timestamp with time zone default now() not null,
    constraint apps_pkey PRIMARY KEY (project_id, app),
    constraint apps_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint apps_app_check CHECK (((app = lower(app)) OR (app ~ '^android:apk-key-hash:[A-Za-z0-9_-]{43}$'::text)))
);

create table authenticators (
    project_id text not null,
    user_id text not null,
    id text not null,
    kid text not null,
    sealed bytea not null,
    last_step bigint default 0 not null,
    created_at timestamp with time zone default now() not null,
    verified_at timestamp with time zone,
    removed_at timestamp with time zone,
    constraint authenticators_pkey PRIMARY KEY (project_id, user_id, id),
    constraint authenticators_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE,
    constraint authenticators_sealed_check CHECK (((octet_length(sealed) >= 28) AND (octet_length(sealed) <= 256)))
);
CREATE INDEX authenticators_of_key ON public.authenticators USING btree (kid, project_id, user_id, id);
CREATE UNIQUE INDEX authenticators_pending ON public.authenticators USING btree (project_id, user_id) WHERE ((verified_at IS NULL) AND (removed_at IS NULL));
CREATE INDEX authenticators_removed ON public.authenticators USING btree (removed_at) WHERE (removed_at IS NOT NULL);
CREATE INDEX authenticators_unverified ON public.authenticators USING btree (created_at) WHERE ((verified_at IS NULL) AND (removed_at IS NULL));
CREATE UNIQUE INDEX authenticators_verified ON public.authenticators USING btree (project_id, user_id) WHERE ((verified_at IS NOT NULL) AND (removed_at IS NULL));

create table branding (
    project_id text not null,
    reply_to text default ''::text not null,
    support_address text default ''::text not null,
    app_url text default ''::text not null,
    accent_color text default ''::text not null,
    footer_text text default ''::text not null,
    logo bytea,
    logo_type text,
    logo_digest text generated always as (encode(sha256(logo), 'hex'::text)) stored,
    constraint branding_pkey PRIMARY KEY (project_id),
    constraint branding_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint branding_accent_color_check CHECK ((accent_color ~ '^(#[0-9a-f]{6})?$'::text)),
    constraint branding_app_url_check CHECK (((app_url = ''::text) OR ((app_url ~ '^https?://'::text) AND (length(app_url) <= 2048)))),
    constraint branding_check CHECK (((logo IS NULL) = (logo_type IS NULL))),
    constraint branding_footer_text_check CHECK ((length(footer_text) <= 300)),
    constraint branding_logo_check CHECK (((octet_length(logo) >= 1) AND (octet_length(logo) <= 65536))),
    constraint branding_logo_type_check CHECK ((logo_type = ANY (ARRAY['image/png'::text, 'image/svg+xml'::text]))),
    constraint branding_reply_to_check CHECK ((length(reply_to) <= 254)),
    constraint branding_support_address_check CHECK ((length(support_address) <= 254))
);

create table challenges (
    project_id text not null,
    id text not null,
    user_id text not null,
    session_id text not null,
    factor text not null,
    kid text not null,
    attempts integer default 0 not null,
    read_at timestamp with time zone,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    constraint challenges_pkey PRIMARY KEY (project_id, id),
    constraint challenges_project_id_user_id_session_id_fkey FOREIGN KEY (project_id, user_id, session_id) REFERENCES sessions(project_id, user_id, id) ON DELETE CASCADE,
    constraint challenges_factor_check CHECK ((factor = ANY (ARRAY['totp'::text, 'email'::text, 'phone'::text, 'recoveryCode'::text, 'custom'::text])))
);
CREATE INDEX challenges_expired ON public.challenges USING btree (expires_at);
CREATE INDEX challenges_of_session ON public.challenges USING btree (project_id, user_id, session_id);

create table dkim_keys (
    project_id text not null,
    selector text not null,
    domain text not null,
    algorithm text not null,
    state text default 'new'::text not null,
    public_key text not null,
    kid text not null,
    sealed bytea not null,
    created_at timestamp with time zone default clock_timestamp() not null,
    activated_at timestamp with time zone,
    constraint dkim_keys_pkey PRIMARY KEY (project_id, selector),
    constraint dkim_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint dkim_keys_algorithm_check CHECK ((algorithm = ANY (ARRAY['rsa'::text, 'ed25519'::text]))),
    constraint dkim_keys_check CHECK (((state = 'new'::text) OR (activated_at IS NOT NULL))),
    constraint dkim_keys_domain_check CHECK (((octet_length(domain) >= 1) AND (octet_length(domain) <= 253))),
    constraint dkim_keys_sealed_check CHECK (((octet_length(sealed) >= 28) AND (octet_length(sealed) <= 4096))),
    constraint dkim_keys_selector_check CHECK ((selector ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'::text)),
    constraint dkim_keys_state_check CHECK ((state = ANY (ARRAY['new'::text, 'active'::text, 'former'::text])))
);
CREATE UNIQUE INDEX dkim_keys_active ON public.dkim_keys USING btree (project_id, algorithm) WHERE (state = 'active'::text);

create table event_feeds (
    project_id text not null,
    last_number bigint default 0 not null,
    deleted_through bigint default 0 not null,
    constraint event_feeds_pkey PRIMARY KEY (project_id),
    constraint event_feeds_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
);

create table events (
    project_id text not null,
    id uuid not null,
    name text not null,
    user_id text,
    token_id text,
    ready boolean default true not null,
    ip text not null,
    user_agent text not null,
    at timestamp with time zone default now() not null,
    traceparent text,
    constraint events_pkey PRIMARY KEY (id, project_id)
);
CREATE INDEX events_due ON public.events USING btree (at) WHERE ready;
CREATE INDEX events_of_project ON public.events USING btree (project_id, at) WHERE ready;
CREATE INDEX events_of_token ON public.events USING btree (project_id, token_id) WHERE (token_id IS NOT NULL);

create table feed_events (
    project_id text not null,
    number bigint not null,
    id uuid not null,
    name text not null,
    user_id text not null,
    at timestamp with time zone not null,
    filed_at timestamp with time zone default now() not null,
    constraint feed_events_pkey PRIMARY KEY (project_id, number),
    constraint feed_events_project_id_fkey FOREIGN KEY (project_id) REFERENCES event_feeds(project_id) ON DELETE CASCADE
);
CREATE INDEX feed_events_by_id ON public.feed_events USING btree (project_id, id);
CREATE INDEX feed_events_by_time ON public.feed_events USING btree (project_id, at, number);

create table identities (
    project_id text not null,
    user_id text not null,
    id text not null,
    provider text not null,
    issuer text not null,
    subject text not null,
    email text default ''::text not null,
    email_verified boolean default false not null,
    kid text,
    sealed bytea,
    access_until timestamp with time zone,
    refresh_until timestamp with time zone,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    removed_at timestamp with time zone,
    constraint identities_pkey PRIMARY KEY (project_id, user_id, id),
    constraint identities_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE,
    constraint identities_check CHECK (((kid IS NULL) = (sealed IS NULL))),
    constraint identities_sealed_check CHECK (((octet_length(sealed) >= 28) AND (octet_length(sealed) <= 40000)))
);
CREATE INDEX identities_by_age ON public.identities USING btree (project_id, created_at, id) WHERE (removed_at IS NULL);
CREATE INDEX identities_by_id ON public.identities USING btree (project_id, id);
CREATE INDEX identities_of_address ON public.identities USING btree (project_id, email) WHERE (email <> ''::text);
CREATE INDEX identities_of_key ON public.identities USING btree (kid, project_id, user_id, id) WHERE (kid IS NOT NULL);
CREATE UNIQUE INDEX identities_of_subject ON public.identities USING btree (project_id, provider, issuer, subject) WHERE (removed_at IS NULL);
CREATE INDEX identities_removed ON public.identities USING btree (removed_at) WHERE (removed_at IS NOT NULL);
CREATE INDEX identities_sealed ON public.identities USING btree (project_id) WHERE (kid IS NOT NULL);

create table identity_tokens (
    project_id text not null,
    token_id text not null,
    identity_id text not null,
    two_factors boolean not null,
    constraint identity_tokens_pkey PRIMARY KEY (project_id, token_id),
    constraint identity_tokens_project_id_token_id_fkey FOREIGN KEY (project_id, token_id) REFERENCES tokens(project_id, id) ON DELETE CASCADE
);

create table invitations (
    project_id text not null,
    id text not null,
    email text,
    code_hash bytea,
    note text not null,
    most_uses integer not null,
    uses integer default 0 not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    used_at timestamp with time zone,
    constraint invitations_pkey PRIMARY KEY (project_id, id),
    constraint invitations_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint invitations_check CHECK ((uses <= most_uses)),
    constraint invitations_check1 CHECK (((email IS NULL) <> (code_hash IS NULL))),
    constraint invitations_most_uses_check CHECK ((most_uses > 0))
);
CREATE INDEX invitations_by_age ON public.invitations USING btree (expires_at);
CREATE UNIQUE INDEX invitations_by_code ON public.invitations USING btree (project_id, code_hash);
CREATE UNIQUE INDEX invitations_by_email ON public.invitations USING btree (project_id, email);

create table log_chains (
    project_id text not null,
    month text not null,
    number bigint default 0 not null,
    hash bytea,
    previous_month text,
    previous_number bigint,
    previous_hash bytea,
    signed_number bigint default 0 not null,
    signed_at timestamp with time zone,
    due_at timestamp with time zone,
    constraint log_chains_pkey PRIMARY KEY (project_id, month)
) WITH (fillfactor=50);
CREATE INDEX log_chains_due ON public.log_chains USING btree (due_at) WHERE (due_at IS NOT NULL);

create table log_checkpoints (
    project_id text not null,
    month text not null,
    number bigint not null,
    hash bytea not null,
    at timestamp with time zone not null,
    kid text not null,
    signature bytea not null,
    constraint log_checkpoints_pkey PRIMARY KEY (project_id, month, number)
);

create table logs (
    project_id text not null,
    id uuid not null,
    user_id text,
    name text not null,
    ip text not null,
    at timestamp with time zone not null,
    country_code text not null,
    os_code text not null,
    os_name text not null,
    os_version text not null,
    client_type text not null,
    client_code text not null,
    client_name text not null,
    client_version text not null,
    client_engine text not null,
    client_engine_version text not null,
    device_name text not null,
    device_brand text not null,
    device_model text not null,
    chain_number bigint,
    salt bytea,
    hash bytea,
    erased bytea,
    constraint logs_pkey PRIMARY KEY (project_id, id, at)
) PARTITION BY RANGE (at);
CREATE INDEX logs_of_user ON ONLY public.logs USING btree (project_id, user_id, at DESC);

create table mail_events (
    project_id text not null,
    mail_id uuid not null,
    id bigint generated always as identity not null,
    at timestamp with time zone default clock_timestamp() not null,
    name text not null,
    attempt integer not null,
    worker text default ''::text not null,
    server text default ''::text not null,
    stage text default ''::text not null,
    code integer,
    fault text default ''::text not null,
    constraint mail_events_pkey PRIMARY KEY (project_id, mail_id, id),
    constraint mail_events_mail_id_project_id_fkey FOREIGN KEY (mail_id, project_id) REFERENCES mails(id, project_id) ON DELETE CASCADE,
    constraint mail_events_name_check CHECK ((name = ANY (ARRAY['waits'::text, 'lost'::text, 'retried'::text, 'sent'::text, 'failed'::text, 'expired'::text, 'cancelled'::text, 'void'::text, 'suppressed'::text, 'delivered'::text, 'deferred'::text, 'bounced'::text, 'complained'::text]))) NOT VALID
);
CREATE INDEX mail_events_by_age ON public.mail_events USING btree (at);

create table mails (
    project_id text not null,
    id uuid not null,
    letter text not null,
    user_id text,
    token_id text,
    recipient text not null,
    locale text not null,
    facts jsonb default '{}'::jsonb not null,
    state text default 'pending'::text not null,
    attempts integer default 0 not null,
    due_at timestamp with time zone default now() not null,
    lease_by text,
    deadline_at timestamp with time zone not null,
    message_id text not null,
    last_code integer,
    last_fault text,
    created_at timestamp with time zone default now() not null,
    ended_at timestamp with time zone,
    last_cause text,
    traceparent text,
    constraint mails_pkey PRIMARY KEY (id, project_id),
    constraint mails_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint mails_last_cause_check CHECK ((last_cause = ANY (ARRAY['server'::text, 'recipient'::text, 'ours'::text, 'pace'::text]))) NOT VALID,
    constraint mails_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'expired'::text, 'cancelled'::text, 'void'::text, 'suppressed'::text]))) NOT VALID
);
CREATE INDEX mails_due ON public.mails USING btree (due_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX mails_ended ON public.mails USING btree (state, project_id) WHERE (state <> ALL (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX mails_of_user ON public.mails USING btree (project_id, user_id, created_at);
CREATE INDEX mails_waiting_for_server ON public.mails USING btree (created_at) WHERE ((state = 'pending'::text) AND (last_cause = 'server'::text));

create table mfa_changes (
    project_id text not null,
    user_id text not null,
    id bigint generated always as identity not null,
    former boolean not null,
    changed_at timestamp with time zone default now() not null,
    constraint mfa_changes_pkey PRIMARY KEY (project_id, user_id, id),
    constraint mfa_changes_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE
);
CREATE INDEX mfa_changes_by_age ON public.mfa_changes USING btree (changed_at);

create table missed_guesses (
    project_id text not null,
    slot integer not null,
    guesses bigint not null,
    constraint missed_guesses_pkey PRIMARY KEY (project_id, slot)
) WITH (fillfactor=50);

create table oauth_flows (
    project_id text not null,
    id text not null,
    provider text not null,
    kind text not null,
    success text not null,
    failure text not null,
    app_state text not null,
    browser bytea,
    session_id text,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    invitation_id text,
    constraint oauth_flows_pkey PRIMARY KEY (project_id, id),
    constraint oauth_flows_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint oauth_flows_kind_check CHECK ((kind = ANY (ARRAY['session'::text, 'token'::text])))
);
CREATE INDEX oauth_flows_expired ON public.oauth_flows USING btree (expires_at);

create table passkey_challenges (
    project_id text not null,
    id text not null,
    challenge bytea not null,
    rp_id text not null,
    origins bytea not null,
    user_id text,
    session_id text,
    passkey_id text,
    name text default ''::text not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    used_at timestamp with time zone,
    constraint passkey_challenges_pkey PRIMARY KEY (project_id, id),
    constraint passkey_challenges_project_id_passkey_id_key UNIQUE (project_id, passkey_id),
    constraint passkey_challenges_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint passkey_challenges_project_id_user_id_session_id_fkey FOREIGN KEY (project_id, user_id, session_id) REFERENCES sessions(project_id, user_id, id) ON DELETE CASCADE,
    constraint passkey_challenges_check CHECK ((num_nulls(user_id, session_id, passkey_id) = ANY (ARRAY[0, 3])))
);
CREATE INDEX passkey_challenges_expired ON public.passkey_challenges USING btree (expires_at);
CREATE INDEX passkey_challenges_of_session ON public.passkey_challenges USING btree (project_id, user_id, session_id);
CREATE INDEX passkey_challenges_of_sign_in ON public.passkey_challenges USING btree (project_id, expires_at) WHERE ((passkey_id IS NULL) AND (used_at IS NULL));

create table passkeys (
    project_id text not null,
    id text not null,
    user_id text not null,
    name text not null,
    credential_id bytea not null,
    credential_hash bytea not null,
    public_key bytea not null,
    algorithm integer not null,
    backup_eligible boolean not null,
    backed_up boolean not null,
    sign_count bigint not null,
    transports text[] not null,
    aaguid text not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    accessed_at timestamp with time zone,
    removed_at timestamp with time zone,
    constraint passkeys_pkey PRIMARY KEY (project_id, id),
    constraint passkeys_project_id_credential_hash_key UNIQUE (project_id, credential_hash),
    constraint passkeys_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE,
    constraint passkeys_credential_id_check CHECK (((octet_length(credential_id) >= 1) AND (octet_length(credential_id) <= 1023)))
);
CREATE INDEX passkeys_of_user ON public.passkeys USING btree (project_id, user_id);
CREATE INDEX passkeys_removed ON public.passkeys USING btree (removed_at) WHERE (removed_at IS NOT NULL);

create table password_history (
    project_id text not null,
    user_id text not null,
    id bigint generated always as identity not null,
    password_hash text not null,
    constraint password_history_pkey PRIMARY KEY (project_id, user_id, id),
    constraint password_history_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE
);

create table phone_changes (
    project_id text not null,
    user_id text not null,
    id bigint generated always as identity not null,
    phone text,
    verified_at timestamp with time zone,
    by_holder boolean not null,
    changed_at timestamp with time zone default now() not null,
    constraint phone_changes_pkey PRIMARY KEY (project_id, user_id, id),
    constraint phone_changes_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE
);
CREATE INDEX phone_changes_by_age ON public.phone_changes USING btree (changed_at);

create table platforms (
    project_id text not null,
    hostname text not null,
    created_at timestamp with time zone default now() not null,
    constraint platforms_pkey PRIMARY KEY (project_id, hostname),
    constraint platforms_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint platforms_hostname_check CHECK ((hostname = lower(hostname)))
);

create table project_relays (
    project_id text not null,
    server text not null,
    kid text not null,
    sealed bytea not null,
    constraint project_relays_pkey PRIMARY KEY (project_id),
    constraint project_relays_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint project_relays_sealed_check CHECK (((octet_length(sealed) >= 28) AND (octet_length(sealed) <= 4096)))
);

create table projects (
    id text not null,
    name text not null,
    created_at timestamp with time zone default now() not null,
    sender_name text default ''::text not null,
    sender_address text default ''::text not null,
    locale text default 'en'::text not null,
    verification_url text default ''::text not null,
    modern_by_default boolean default false not null,
    reveal_unknown_users boolean default false not null,
    plain_http boolean default false not null,
    password_min integer default 0 not null,
    password_max integer default 256 not null,
    session_seconds integer default 31536000 not null,
    recovery_seconds integer default 3600 not null,
    verification_seconds integer default 604800 not null,
    magic_url_seconds integer default 3600 not null,
    otp_seconds integer default 600 not null,
    limits jsonb default '{}'::jsonb not null,
    limits_dry_run boolean default false not null,
    notify_new_device boolean default false not null,
    private_signup boolean default false not null,
    password_blocklist boolean default true not null,
    password_personal_data boolean default true not null,
    password_history integer default 0 not null,
    special_use_domains boolean default false not null,
    mfa_factors text[] default '{totp,email,phone}'::text[] not null,
    provider_mfa text default 'ask'::text not null,
    provider_tokens boolean default false not null,
    passkeys boolean default false not null,
    rp_id text default ''::text not null,
    redirect_schemes text[] default '{}'::text[] not null,
    sms_countries text[] default '{}'::text[] not null,
    mock_phones jsonb default '{}'::jsonb not null,
    session_limit integer default 100 not null,
    unverified_days integer default 0 not null,
    anonymous_days integer default 0 not null,
    end_made_accounts boolean default false not null,
    sign_up text default 'open'::text not null,
    sign_up_domains text[] default '{}'::text[] not null,
    verified_sign_in boolean default false not null,
    partitioned_cookies boolean default false not null,
    test_domains text[] default '{}'::text[] not null,
    one_per_mailbox boolean default false not null,
    end_warning_days integer default 0 not null,
    magic_links text default 'link'::text not null,
    constraint projects_pkey PRIMARY KEY (id),
    constraint projects_anonymous_days_check CHECK (((anonymous_days >= 0) AND (anonymous_days <= 3650))),
    constraint projects_end_warning_days_check CHECK (((end_warning_days >= 0) AND (end_warning_days <= 365))),
    constraint projects_id_check CHECK ((id ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}$'::text)),
    constraint projects_magic_links_check CHECK ((magic_links = ANY (ARRAY['link'::text, 'first-tab'::text]))),
    constraint projects_magic_url_seconds_check CHECK ((magic_url_seconds > 0)),
    constraint projects_otp_seconds_check CHECK ((otp_seconds > 0)),
    constraint projects_password_history_check CHECK (((password_history >= 0) AND (password_history <= 32))),
    constraint projects_password_max_check CHECK (((password_max >= 32) AND (password_max <= 256))),
    constraint projects_password_min_check CHECK (((password_min >= 0) AND (password_min <= 64))),
    constraint projects_provider_mfa_check CHECK ((provider_mfa = ANY (ARRAY['ask'::text, 'trust'::text]))),
    constraint projects_recovery_seconds_check CHECK ((recovery_seconds > 0)),
    constraint projects_session_limit_check CHECK (((session_limit >= 1) AND (session_limit <= 1000))),
    constraint projects_session_seconds_check CHECK ((session_seconds > 0)),
    constraint projects_sign_up_check CHECK ((sign_up = ANY (ARRAY['open'::text, 'closed'::text, 'domains'::text, 'invitation'::text]))),
    constraint projects_unverified_days_check CHECK (((unverified_days >= 0) AND (unverified_days <= 3650))),
    constraint projects_verification_seconds_check CHECK ((verification_seconds > 0))
);

create table providers (
    project_id text not null,
    name text not null,
    enabled boolean default false not null,
    client_id text default ''::text not null,
    kid text,
    sealed bytea,
    native boolean default false not null,
    native_client_ids text[] default '{}'::text[] not null,
    trust_email boolean default false not null,
    issuer text default ''::text not null,
    discovery_url text default ''::text not null,
    authorization_endpoint text default ''::text not null,
    token_endpoint text default ''::text not null,
    userinfo_endpoint text default ''::text not null,
    jwks_uri text default ''::text not null,
    tenant text default ''::text not null,
    team_id text default ''::text not null,
    key_id text default ''::text not null,
    scopes text[] default '{}'::text[] not null,
    prompt text default ''::text not null,
    max_age integer,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    constraint providers_pkey PRIMARY KEY (project_id, name),
    constraint providers_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint providers_check CHECK (((kid IS NULL) = (sealed IS NULL))),
    constraint providers_sealed_check CHECK (((octet_length(sealed) >= 28) AND (octet_length(sealed) <= 8192)))
);

create table recovery_codes (
    project_id text not null,
    user_id text not null,
    set_id text not null,
    place smallint not null,
    hash text not null,
    created_at timestamp with time zone default now() not null,
    used_at timestamp with time zone,
    removed_at timestamp with time zone,
    constraint recovery_codes_pkey PRIMARY KEY (project_id, user_id, set_id, place),
    constraint recovery_codes_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE
);
CREATE INDEX recovery_codes_removed ON public.recovery_codes USING btree (removed_at) WHERE (removed_at IS NOT NULL);

create table schema_migrations (
    version integer not null,
    name text not null,
    checksum text not null,
    applied_at timestamp with time zone default now() not null,
    constraint schema_migrations_pkey PRIMARY KEY (version)
);

create table sessions (
    project_id text not null,
    user_id text not null,
    id text not null,
    secret_hash bytea not null,
    provider text not null,
    provider_uid text default ''::text not null,
    ip text not null,
    country_code text not null,
    os_code text not null,
    os_name text not null,
    os_version text not null,
    client_type text not null,
    client_code text not null,
    client_name text not null,
    client_version text not null,
    client_engine text not null,
    client_engine_version text not null,
    device_name text not null,
    device_brand text not null,
    device_model text not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    first_factor text default 'unknown'::text not null,
    assurance smallint default 1 not null,
    mfa_at timestamp with time zone,
    factors text[] default '{}'::text[] not null,
    identity_id text,
    constraint sessions_pkey PRIMARY KEY (project_id, user_id, id),
    constraint sessions_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_expired ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_of_secret ON public.sessions USING hash (secret_hash);

create table sign_ups (
    project_id text not null,
    token_id text not null,
    name text not null,
    password_hash text not null,
    constraint sign_ups_pkey PRIMARY KEY (project_id, token_id),
    constraint sign_ups_project_id_token_id_fkey FOREIGN KEY (project_id, token_id) REFERENCES tokens(project_id, id) ON DELETE CASCADE
);

create table sms (
    project_id text not null,
    id uuid not null,
    kind text not null,
    user_id text,
    token_id text not null,
    recipient text not null,
    locale text not null,
    state text default 'pending'::text not null,
    attempts integer default 0 not null,
    sends integer default 0 not null,
    due_at timestamp with time zone default now() not null,
    lease_by text,
    deadline_at timestamp with time zone not null,
    last_code integer,
    last_fault text,
    created_at timestamp with time zone default now() not null,
    ended_at timestamp with time zone,
    used_at timestamp with time zone,
    traceparent text,
    constraint sms_pkey PRIMARY KEY (id, project_id),
    constraint sms_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint sms_kind_check CHECK ((kind = ANY (ARRAY['phone_login'::text, 'phone_verification'::text, 'mfa_phone'::text]))),
    constraint sms_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'expired'::text, 'cancelled'::text, 'void'::text])))
);
CREATE INDEX sms_by_age ON public.sms USING btree (project_id, created_at);
CREATE INDEX sms_by_state ON public.sms USING btree (project_id, state, id);
CREATE INDEX sms_due ON public.sms USING btree (due_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX sms_of_token ON public.sms USING btree (project_id, token_id);
CREATE INDEX sms_of_user ON public.sms USING btree (project_id, user_id, created_at) WHERE (user_id IS NOT NULL);

create table suppressions (
    project_id text not null,
    address_hash bytea not null,
    cause text not null,
    mail_id uuid,
    since timestamp with time zone default now() not null,
    until timestamp with time zone not null,
    constraint suppressions_pkey PRIMARY KEY (project_id, address_hash),
    constraint suppressions_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint suppressions_cause_check CHECK ((cause = ANY (ARRAY['bounced'::text, 'complained'::text, 'operator'::text])))
);
CREATE INDEX suppressions_by_age ON public.suppressions USING btree (until);

create table targets (
    project_id text not null,
    user_id text not null,
    id text not null,
    session_id text,
    provider_type text not null,
    provider_id text,
    name text default ''::text not null,
    identifier text not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    constraint targets_pkey PRIMARY KEY (project_id, user_id, id),
    constraint targets_project_id_provider_type_identifier_key UNIQUE (project_id, provider_type, identifier),
    constraint targets_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE,
    constraint targets_project_id_user_id_session_id_fkey FOREIGN KEY (project_id, user_id, session_id) REFERENCES sessions(project_id, user_id, id) ON DELETE CASCADE,
    constraint targets_identifier_check CHECK (((length(identifier) >= 1) AND (length(identifier) <= 255))),
    constraint targets_provider_type_check CHECK ((provider_type = ANY (ARRAY['email'::text, 'sms'::text, 'push'::text])))
);

create table template_overrides (
    project_id text not null,
    letter text not null,
    locale text not null,
    subject text,
    body_text text,
    body_html text,
    changed_at timestamp with time zone default clock_timestamp() not null,
    constraint template_overrides_pkey PRIMARY KEY (project_id, letter, locale),
    constraint template_overrides_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint template_overrides_body_html_check CHECK (((octet_length(body_html) >= 1) AND (octet_length(body_html) <= 65536))),
    constraint template_overrides_body_text_check CHECK (((octet_length(body_text) >= 1) AND (octet_length(body_text) <= 16384))),
    constraint template_overrides_check CHECK ((num_nonnulls(subject, body_text, body_html) > 0)),
    constraint template_overrides_letter_check CHECK ((letter ~ '^[a-z_]{1,64}$'::text)),
    constraint template_overrides_locale_check CHECK ((locale ~ '^([*]|[a-z]{2,3}(-[a-z0-9]{2,8}){0,2})$'::text)),
    constraint template_overrides_subject_check CHECK (((octet_length(subject) >= 1) AND (octet_length(subject) <= 300)))
);

create table test_accounts (
    project_id text not null,
    email text not null,
    code_hash bytea not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    uses integer default 0 not null,
    used_at timestamp with time zone,
    constraint test_accounts_pkey PRIMARY KEY (project_id, email),
    constraint test_accounts_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE
);
CREATE INDEX test_accounts_by_age ON public.test_accounts USING btree (expires_at);

create table tokens (
    project_id text not null,
    id text not null,
    kind text not null,
    user_id text,
    asked_as text,
    email text not null,
    email_version integer,
    kid text not null,
    attempts integer default 0 not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone not null,
    secret_length smallint,
    proved_by_holder boolean,
    invitation_id text,
    approved_at timestamp with time zone,
    constraint tokens_pkey PRIMARY KEY (project_id, id),
    constraint tokens_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint tokens_project_id_user_id_fkey FOREIGN KEY (project_id, user_id) REFERENCES users(project_id, id) ON DELETE CASCADE,
    constraint tokens_kind_check CHECK ((kind = ANY (ARRAY['recovery'::text, 'verification'::text, 'magic_url'::text, 'otp'::text, 'disavowal'::text, 'email_undo'::text, 'verification_otp'::text, 'recovery_otp'::text, 'mfa_email'::text, 'mfa_phone'::text, 'mfa_custom'::text, 'phone_login'::text, 'phone_verification'::text, 'custom'::text, 'oauth2'::text, 'passkey'::text, 'first_tab'::text]))) NOT VALID
);
CREATE INDEX tokens_asked_as ON public.tokens USING btree (project_id, asked_as);
CREATE INDEX tokens_expired ON public.tokens USING btree (expires_at);
CREATE INDEX tokens_of_address ON public.tokens USING btree (project_id, email);
CREATE INDEX tokens_of_user ON public.tokens USING btree (project_id, user_id);

create table used_id_tokens (
    project_id text not null,
    digest bytea not null,
    expires_at timestamp with time zone not null,
    constraint used_id_tokens_pkey PRIMARY KEY (project_id, digest),
    constraint used_id_tokens_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint used_id_tokens_digest_check CHECK ((octet_length(digest) = 32))
);
CREATE INDEX used_id_tokens_expired ON public.used_id_tokens USING btree (expires_at);

create table user_texts (
    project_id text not null,
    id text not null,
    email text,
    phone text,
    name text not null,
    constraint user_texts_pkey PRIMARY KEY (project_id, id)
);
CREATE INDEX user_texts_trigrams ON public.user_texts USING gin (email trigrams.gin_trgm_ops, name trigrams.gin_trgm_ops, phone trigrams.gin_trgm_ops, lower(id) trigrams.gin_trgm_ops);

create table users (
    project_id text not null,
    id text not null,
    email text,
    email_version integer default 1 not null,
    email_verified boolean default false not null,
    name text default ''::text not null,
    password_hash text,
    password_updated_at timestamp with time zone,
    status text default 'unactivated'::text not null,
    labels text[] default '{}'::text[] not null,
    prefs text default '{}'::text not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    accessed_at timestamp with time zone default now() not null,
    proved_by_holder boolean default true not null,
    mfa boolean default false not null,
    webauthn_handle bytea,
    phone text,
    phone_version integer default 0 not null,
    phone_verified_at timestamp with time zone,
    phone_by_holder boolean default false not null,
    has_targets boolean default false not null,
    kept boolean default false not null,
    email_since timestamp with time zone,
    end_warned_at timestamp with time zone,
    constraint users_pkey PRIMARY KEY (project_id, id),
    constraint users_project_id_email_key UNIQUE (project_id, email),
    constraint users_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id),
    constraint users_email_check CHECK ((email = lower(email))),
    constraint users_id_check CHECK ((id ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}$'::text)),
    constraint users_status_check CHECK ((status = ANY (ARRAY['unactivated'::text, 'active'::text, 'blocked'::text])))
);
CREATE INDEX users_by_age ON public.users USING btree (project_id, created_at, id);
CREATE INDEX users_by_email ON public.users USING btree (project_id, COALESCE(email, ''::text), id);
CREATE INDEX users_by_mailbox ON public.users USING btree (project_id, mailbox_of(email)) WHERE (mailbox_of(email) <> email);
CREATE INDEX users_by_name ON public.users USING btree (project_id, name, id);
CREATE UNIQUE INDEX users_by_phone ON public.users USING btree (project_id, phone) WHERE (phone_verified_at IS NOT NULL);
CREATE INDEX users_by_status ON public.users USING btree (project_id, status, created_at, id);
CREATE INDEX users_labels ON public.users USING gin (labels) WHERE (labels <> '{}'::text[]);
CREATE INDEX users_made_to_end ON public.users USING btree (project_id, created_at) WHERE (kept AND (NOT email_verified) AND (phone_verified_at IS NULL));
CREATE INDEX users_of_phone ON public.users USING btree (project_id, phone) WHERE (phone IS NOT NULL);
CREATE INDEX users_phone_unverified ON public.users USING btree (project_id, created_at, id) WHERE (phone_verified_at IS NULL);
CREATE INDEX users_phone_verified ON public.users USING btree (project_id, created_at, id) WHERE (phone_verified_at IS NOT NULL);
CREATE INDEX users_to_end ON public.users USING btree (project_id, created_at) WHERE ((NOT kept) AND (NOT email_verified) AND (phone_verified_at IS NULL));
CREATE INDEX users_unverified ON public.users USING btree (project_id, created_at, id) WHERE (NOT email_verified);
CREATE INDEX users_verified ON public.users USING btree (project_id, created_at, id) WHERE email_verified;
CREATE TRIGGER users_texts AFTER INSERT OR DELETE ON public.users FOR EACH ROW EXECUTE FUNCTION keep_user_texts();
CREATE TRIGGER users_texts_changed AFTER UPDATE OF email, phone, name ON public.users FOR EACH ROW WHEN (((old.email IS DISTINCT FROM new.email) OR (old.phone IS DISTINCT FROM new.phone) OR (old.name <> new.name))) EXECUTE FUNCTION keep_user_texts();

create table void_guesses (
    slot integer not null,
    guesses bigint default 0 not null,
    constraint void_guesses_pkey PRIMARY KEY (slot)
) WITH (fillfactor=50);

create table webhook_deliveries (
    project_id text not null,
    endpoint_id text not null,
    number bigint not null,
    event_id uuid not null,
    type text not null,
    user_id text not null,
    at timestamp with time zone not null,
    state text default 'pending'::text not null,
    attempts integer default 0 not null,
    last_status integer,
    last_fault text,
    ended_at timestamp with time zone,
    constraint webhook_deliveries_pkey PRIMARY KEY (project_id, endpoint_id, number),
    constraint webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
);
CREATE INDEX webhook_deliveries_project_id_endpoint_id_ended_at_idx ON public.webhook_deliveries USING btree (project_id, endpoint_id, ended_at) WHERE (state <> 'pending'::text);
CREATE INDEX webhook_deliveries_project_id_endpoint_id_user_id_number_idx ON public.webhook_deliveries USING btree (project_id, endpoint_id, user_id, number) WHERE (state = 'pending'::text);

create table webhook_endpoints (
    project_id text not null,
    id text not null,
    url text not null,
    types text[] default '{}'::text[] not null,
    status text default 'enabled'::text not null,
    created_at timestamp with time zone default now() not null,
    disabled_at timestamp with time zone,
    reason text,
    failing_since timestamp with time zone,
    constraint webhook_endpoints_pkey PRIMARY KEY (project_id, id),
    constraint webhook_endpoints_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE,
    constraint webhook_endpoints_status_check CHECK ((status = ANY (ARRAY['enabled'::text, 'disabled'::text])))
);

create table webhook_lanes (
    project_id text not null,
    endpoint_id text not null,
    user_id text not null,
    pending integer not null,
    due_at timestamp with time zone default now(),
    lease_by text,
    fence bigint default ((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric))::bigint not null,
    constraint webhook_lanes_pkey PRIMARY KEY (project_id, endpoint_id, user_id),
    constraint webhook_lanes_project_id_endpoint_id_fkey FOREIGN KEY (project_id, endpoint_id) REFERENCES webhook_endpoints(project_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_lanes_project_id_endpoint_id_due_at_idx ON public.webhook_lanes USING btree (project_id, endpoint_id, due_at) WHERE (due_at IS NOT NULL);

create table webhook_secrets (
    project_id text not null,
    endpoint_id text not null,
    id text not null,
    kid text not null,
    sealed bytea not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    constraint webhook_secrets_pkey PRIMARY KEY (project_id, id),
    constraint webhook_secrets_project_id_endpoint_id_fkey FOREIGN KEY (project_id, endpoint_id) REFERENCES webhook_endpoints(project_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_secrets_project_id_endpoint_id_idx ON public.webhook_secrets USING btree (project_id, endpoint_id);

create table window_resets (
    name text not null,
    at timestamp with time zone default clock_timestamp() not null,
    constraint window_resets_pkey PRIMARY KEY (name)
);

create unlogged table windows (
    name text not null,
    calls timestamp with time zone[] default '{}'::timestamp with time zone[] not null,
    expires_at timestamp with time zone not null,
    many integer[] default '{}'::integer[] not null,
    constraint windows_pkey PRIMARY KEY (name)
);
CREATE INDEX windows_expired ON public.windows USING btree (expires_at);

CREATE OR REPLACE FUNCTION public.claim_address(project text, wanted text, mover text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
    former text;
begin
    if mover is null then
        perform pg_advisory_xact_lock(hashtextextended(project || ' ' || wanted, 0));
    else
        select email into former from users where project_id = project and id = mover;
        perform pg_advisory_xact_lock(key) from (
            select distinct hashtextextended(project || ' ' || address, 0) as key
            from unnest(array[wanted, former]) address where address is not null order by key
        ) keys;
        if former is distinct from (select email from users where project_id = project and id = mover) then
            raise exception 'the account got another address meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    update users set email = null, email_version = email_version + 1, updated_at = now()
    where project_id = project and email = wanted and status = 'blocked' and not email_verified
        and id is distinct from mover;
end $function$;

CREATE OR REPLACE FUNCTION public.claim_identifier(project text, kind text, identifier text)
 RETURNS void
 LANGUAGE sql
AS $function$
    select pg_advisory_xact_lock(hashtextextended(project || ' ' || kind || ' ' || identifier, 2))
$function$;

CREATE OR REPLACE FUNCTION public.claim_mailbox(project text, address text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
    if address is null or not exists (select from projects where id = project and one_per_mailbox) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(project || ' ' || mailbox_of(address), 3));
    return true;
end $function$;

CREATE OR REPLACE FUNCTION public.claim_number(project text, number text)
 RETURNS void
 LANGUAGE sql
AS $function$
    select pg_advisory_xact_lock(hashtextextended(project || ' ' || number, 1))
$function$;

CREATE OR REPLACE FUNCTION public.count_attempt(windows text, project text, given_id text, kinds text[], given_slot integer)
 RETURNS TABLE(token tokens, usages text, counted_at timestamp with time zone, refused integer)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    update tokens t set attempts = t.attempts + 1
    where t.project_id = project and t.id = given_id and t.kind = any(kinds) and t.attempts < 5 and t.expires_at > now()
        and t.approved_at is null
    returning * into token;
    if not found then
        insert into missed_guesses as m (project_id, slot, guesses) values (project, given_slot, 1)
        on conflict (project_id, slot) do update set guesses = m.guesses + 1;
    end if;
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.count_call(names text[], limits integer[], seconds integer[])
 RETURNS TABLE(before integer, wait bigint)
 LANGUAGE sql
AS $function$
    select c.before, c.wait from count_in_windows(names, limits, seconds) c;
$function$;

CREATE OR REPLACE FUNCTION public.count_in_windows(names text[], limits integer[], seconds integer[])
 RETURNS TABLE(before integer, wait bigint, counted_at timestamp with time zone)
 LANGUAGE sql
AS $function$
    select c.before, c.wait, c.counted_at
    from count_in_windows(names, limits, seconds, array_fill(1, array[cardinality(names)])) c;
$function$;

CREATE OR REPLACE FUNCTION public.count_in_windows(names text[], limits integer[], seconds integer[], groups integer[])
 RETURNS TABLE(before integer, wait bigint, counted_at timestamp with time zone)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    moment timestamptz;
    place int;
    w windows;
    held windows[];
    total int;
    totals int[];
    -- The first group with a full window.
    full_group int;
begin
    -- All in one order, so that two calls never wait for each other.
    for place in select g.place from unnest(names) with ordinality g (name, place) order by g.name loop
        loop
            select * into w from windows x where x.name = names[place] for update;
            exit when found;
            insert into windows (name, expires_at) values (names[place], 'infinity') on conflict do nothing
            returning * into w;
            exit when found;
        end loop;
        held[place] := w;
    end loop;
    moment := clock_timestamp();
    for place in 1 .. cardinality(names) loop
        w := held[place];
        total := 0;
        if w.calls <> '{}' then
            select coalesce(array_agg(e.at order by e.at), '{}'),
                coalesce(array_agg(coalesce(e.many, 1) order by e.at), '{}'), coalesce(sum(coalesce(e.many, 1)), 0)
            into w.calls, w.many, total
            from unnest(w.calls, w.many) e (at, many) where e.at > moment - make_interval(secs => seconds[place]);
            held[place] := w;
        end if;
        totals[place] := total;
        if total >= limits[place] then
            full_group := least(full_group, groups[place]);
        end if;
    end loop;
    for place in 1 .. cardinality(names) loop
        w := held[place];
        before := totals[place];
        wait := seconds[place] * 1000000::bigint;
        counted_at := null;
        if before > 0 then
            wait := wait + (extract(epoch from w.calls[1] - moment) * 1000000)::bigint;
        end if;
        if full_group is null or groups[place] < full_group then
            counted_at := moment;
            w := with_call(w, moment, ceil(limits[place] / 1000.0)::int);
        end if;
        update windows x set calls = w.calls, many = w.many, expires_at = moment + make_interval(secs => seconds[place])
        where x.name = names[place];
        return next;
    end loop;
    -- Last, so that it never waits. A call in eight takes a few away for itself and for the other seven; by their order
    -- the index is read, whatever the planner takes for granted.
    if random() < 0.125 then
        delete from windows x where x.name in (
            select e.name from windows e where e.expires_at < moment order by e.expires_at limit 80
            for update skip locked
        );
    end if;
end $function$;

CREATE OR REPLACE FUNCTION public.count_in_windows(windows text, OUT usages text, OUT counted_at timestamp with time zone, OUT refused integer)
 RETURNS record
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    names text[] := string_to_array(split_part(windows, E'\n', 1), ' ');
    limits int[] := string_to_array(split_part(windows, E'\n', 2), ' ');
    seconds int[] := string_to_array(split_part(windows, E'\n', 3), ' ');
    groups int[] := string_to_array(split_part(windows, E'\n', 4), ' ');
begin
    counted_at := clock_timestamp();
    -- All in one order, so that two calls never wait for each other.
    with counted as (
        insert into windows as w (name, calls, many, expires_at)
        select g.name, array[counted_at], '{1}', counted_at + make_interval(secs => g.span * 1.25)
        from unnest(names, seconds) g (name, span) order by g.name
        on conflict (name) do update set (calls, many, expires_at) = (
            select n.calls, n.many, n.expires_at
            from array_position(names, w.name) place, with_call(
                w, counted_at, make_interval(secs => seconds[place]), limits[place]
            ) n
        )
        returning array_position(names, w.name) as place, w.calls[1] as oldest, case when cardinality(w.many) = 1
            then w.many[1] else (select sum(m)::int from unnest(w.many) m) end - 1 as before
    )
    select min(groups[c.place]) filter (where c.before >= limits[c.place]), string_agg(c.before || ' '
            || ((extract(epoch from c.oldest - counted_at) + seconds[c.place]) * 1000000)::bigint, E'\n'
            order by c.place)
    into refused, usages
    from counted c;
    if refused is not null then
        perform give_back(array_agg(g.name), array_agg(g.most), array_agg(counted_at))
        from unnest(names, limits, groups) g (name, most, number) where g.number >= refused;
    end if;
    -- Last, so that it never waits. A call in eight takes a few away for itself and for the other seven; by their order
    -- the index is read, whatever the planner takes for granted.
    if random() < 0.125 then
        delete from windows x where x.name in (
            select e.name from windows e where e.expires_at < counted_at order by e.expires_at limit 80
            for update skip locked
        );
    end if;
end $function$;

CREATE OR REPLACE FUNCTION public.count_passkeys(project text, owner text)
 RETURNS bigint
 LANGUAGE sql
AS $function$
    select count(*) from passkeys where project_id = project and user_id = owner and removed_at is null;
$function$;

CREATE OR REPLACE FUNCTION public.create_account(project text, act uuid, given_id text, address text, given_name text, hash text, event uuid, event_name text, client_ip text, agent text, trace text)
 RETURNS SETOF users
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    made users;
begin
    select * into made from make_user(project, array[given_id], address, false, given_name, hash);
    if not found then
        return;
    end if;
    insert into acts (project_id, id) values (project, act);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, made.id, client_ip, agent, trace);
    return next made;
end $function$;

CREATE OR REPLACE FUNCTION public.create_trigrams()
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
    if exists (select from pg_available_extensions where name = 'pg_trgm' and installed_version is null) then
        create schema if not exists trigrams;
        create extension pg_trgm schema trigrams;
    end if;
    return exists (select from pg_extension where extname = 'pg_trgm');
exception when insufficient_privilege then
    return false;
end $function$;

CREATE OR REPLACE FUNCTION public.end_sessions(project text, owner text)
 RETURNS void
 LANGUAGE sql
AS $function$
    delete from sessions where project_id = project and user_id = owner;
$function$;

CREATE OR REPLACE FUNCTION public.end_surplus_sessions(project text, owner text)
 RETURNS bigint
 LANGUAGE sql
AS $function$
    with gone as (
        delete from sessions where project_id = project and user_id = owner and id <= (
            select id from sessions where project_id = project and user_id = owner
            order by id desc offset (select session_limit - 1 from projects where id = project) limit 1
        )
        returning id
    )
    select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION public.ensure_user(project text, ids text[], address text)
 RETURNS TABLE(account users, created boolean)
 LANGUAGE plpgsql
AS $function$
begin
    perform claim_address(project, address);
    return query select u, false from users u where u.project_id = project and u.email = address for update;
    if not found then
        return query select u, true from make_user(project, ids, address, true, '', null) u;
    end if;
end $function$;

CREATE OR REPLACE FUNCTION public.ensure_user_of_number(project text, ids text[], number text)
 RETURNS TABLE(account users, created boolean)
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.expected_mails(wanted text, project text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
    plan json;
begin
    execute format('explain (format json) select from mails where state = %L', wanted)
        || coalesce(format(' and project_id = %L', project), '') into plan;
    return (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
end $function$;

CREATE OR REPLACE FUNCTION public.find_user_to_sign_in(windows text, project text, address text)
 RETURNS TABLE(project_id text, id text, email text, email_version integer, email_verified boolean, name text, password_hash text, password_updated_at timestamp with time zone, status text, labels text[], prefs text, created_at timestamp with time zone, updated_at timestamp with time zone, accessed_at timestamp with time zone, mfa boolean, phone text, phone_version integer, phone_verified boolean, targets text, usages text, counted_at timestamp with time zone, refused integer)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    with found as materialized (
        select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
            u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa, u.phone,
            u.phone_version, u.phone_verified_at is not null, '[]'
        from users u where u.project_id = project and u.email = address
    )
    select * into project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at, status,
        labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version, phone_verified, targets
    from (
        select * from found
        union all
        select project, '', address, 1, false, '', repeat('x', 97), now(), 'active', '{}', '{}', now(), now(), now(), false,
            null, 0, false, '[]'
        where not exists (select from found)
    ) f;
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.give_back(names text[], limits integer[], moments timestamp with time zone[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
    given record;
    w windows;
    spot int;
begin
    for given in
        select g.name, g.most, g.moment from unnest(names, limits, moments) g (name, most, moment) order by g.name
    loop
        select * into w from windows x where x.name = given.name for update;
        spot := array_position(w.calls, given.moment);
        -- Where a moment stands for several calls it is the latest of them.
        if spot is null and given.most > 1000 then
            select min(e.place) into spot from unnest(w.calls) with ordinality e (at, place) where e.at > given.moment;
        end if;
        continue when spot is null;
        if coalesce(w.many[spot], 1) > 1 then
            w.many[spot] := w.many[spot] - 1;
        else
            w.calls := w.calls[:spot - 1] || w.calls[spot + 1:];
            w.many := w.many[:spot - 1] || w.many[spot + 1:];
        end if;
        update windows x set calls = w.calls, many = w.many where x.name = given.name;
    end loop;
end $function$;

CREATE OR REPLACE FUNCTION public.give_number(project text, number text, holder text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
    update users set phone = null, phone_version = phone_version + 1, phone_verified_at = null,
        phone_by_holder = false, updated_at = now()
    where project_id = project and id in (
        select id from users where project_id = project and phone = number and id is distinct from holder
        order by id for update
    );
end $function$;

CREATE OR REPLACE FUNCTION public.has_other_way_in(account users)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
    select account.password_hash is not null or (account.email is not null and account.email_verified) or exists (
        select from authenticators a
        where a.project_id = account.project_id and a.user_id = account.id and a.verified_at is not null
            and a.removed_at is null
    ) or exists (
        select from passkeys k
        where k.project_id = account.project_id and k.user_id = account.id and k.removed_at is null
    ) or exists (
        select from identities i
        where i.project_id = account.project_id and i.user_id = account.id and i.removed_at is null
    )
$function$;

CREATE OR REPLACE FUNCTION public.is_reserved(project text, address text, mover text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
    select exists (
        select from tokens
        where project_id = project and email = address and kind = 'email_undo' and expires_at > now()
            and user_id is distinct from mover
    )
$function$;

CREATE OR REPLACE FUNCTION public.keep_log_partitions(months_kept integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
    month date;
    partition record;
    changed int := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('keep_log_partitions')) then
        return 0;
    end if;
    for ahead in 0..2 loop
        month := date_trunc('month', now() at time zone 'UTC')::date + make_interval(months => ahead);
        if to_regclass('logs_' || to_char(month, 'YYYYMM')) is null then
            execute format(
                'create table %I partition of logs for values from (%L) to (%L)',
                'logs_' || to_char(month, 'YYYYMM'),
                month::text || ' 00:00:00+00',
                (month + interval '1 month')::date::text || ' 00:00:00+00'
            );
            changed := changed + 1;
        end if;
    end loop;
    for partition in
        select inhrelid::regclass::text as name from pg_inherits
        where inhparent = 'logs'::regclass and inhrelid::regclass::text ~ '^logs_[0-9]{6}$'
    loop
        if to_date(right(partition.name, 6), 'YYYYMM')
            < date_trunc('month', now() at time zone 'UTC')::date - make_interval(months => months_kept) then
            execute format('drop table %I', partition.name);
            changed := changed + 1;
        end if;
    end loop;
    return changed;
end $function$;

CREATE OR REPLACE FUNCTION public.keep_user_texts()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.mail_token(windows text, project text, act uuid, given_id text, kind_name text, requested text, invitation text, address text, key_id text, seconds double precision, mail uuid, letter_name text, letter_locale text, letter_facts jsonb, mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text)
 RETURNS TABLE(token tokens, usages text, counted_at timestamp with time zone, refused integer)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    insert into acts (project_id, id) values (project, act);
    insert into tokens (project_id, id, kind, asked_as, invitation_id, email, kid, expires_at)
    values (project, given_id, kind_name, requested, invitation, address, key_id, now() + make_interval(secs => seconds))
    returning * into token;
    insert into mails (project_id, id, letter, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
    values (project, mail, letter_name, given_id, address, letter_locale, letter_facts, token.expires_at,
        mail_message_id, trace);
    if event_name is not null then
        insert into events (project_id, id, name, token_id, ready, ip, user_agent, traceparent)
        values (project, event, event_name, given_id, false, client_ip, agent, trace);
    end if;
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.mail_token_to_member(windows text, project text, act uuid, owner text, opened text, address text, refuse_verified boolean, given_id text, kind_name text, requested text, key_id text, seconds double precision, mail uuid, letter_name text, letter_locale text, letter_facts jsonb, mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text)
 RETURNS TABLE(token tokens, status text, known_address text, verified boolean, usages text, counted_at timestamp with time zone, refused integer)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    version int;
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    -- No status if the session has ended.
    select u.status, u.email, u.email_version, u.email_verified into status, known_address, version, verified
    from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
    where u.project_id = project and u.id = owner and s.id = opened and s.expires_at > now()
    for update of u for key share of s;
    if status <> 'blocked' and known_address is not distinct from address and not (verified and refuse_verified) then
        insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at)
        values (project, given_id, kind_name, owner, requested, known_address, version, key_id,
            now() + make_interval(secs => seconds))
        returning * into token;
        insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
            traceparent)
        values (project, mail, letter_name, owner, given_id, known_address, letter_locale, letter_facts,
            token.expires_at, mail_message_id, trace);
        insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
        values (project, event, event_name, owner, client_ip, agent, trace);
        insert into acts (project_id, id) values (project, act);
    end if;
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.mailbox_of(address text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
    select case
        when split_part(address, '@', 2) in ('gmail.com', 'googlemail.com') then coalesce(
            nullif(replace(split_part(split_part(address, '@', 1), '+', 1), '.', ''), '') || '@gmail.com', address)
        when split_part(address, '@', 2) in (
            'outlook.com', 'hotmail.com', 'live.com', 'icloud.com', 'me.com', 'mac.com', 'fastmail.com', 'proton.me',
            'protonmail.com'
        ) then coalesce(
            nullif(split_part(split_part(address, '@', 1), '+', 1), '') || '@' || split_part(address, '@', 2), address)
        else address
    end
$function$;

CREATE OR REPLACE FUNCTION public.make_user(project text, ids text[], address text, proved boolean, given_name text, hash text)
 RETURNS SETOF users
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    given_id text;
    made users;
begin
    if address is not null then
        -- The lock that claim_address takes too.
        perform pg_advisory_xact_lock(hashtextextended(project || ' ' || address, 0));
        if not proved and is_reserved(project, address) then
            return;
        end if;
        if not exists (
            select from unnest(ids) as wanted
            where not exists (select from users u where u.project_id = project and u.id = wanted)
        ) then
            return;
        end if;
        perform claim_address(project, address);
        if shares_mailbox(project, address, null, proved) then
            return;
        end if;
    end if;
    foreach given_id in array ids loop
        insert into users (project_id, id, email, email_verified, name, password_hash, password_updated_at)
        values (project, given_id, address, proved, given_name, hash, case when hash is not null then now() end)
        on conflict do nothing returning * into made;
        if found then
            return next made;
            return;
        end if;
    end loop;
end $function$;

CREATE OR REPLACE FUNCTION public.recover_account(project text, act uuid, owner text, used_id text, hash text, kept integer, notice_id text, notice_kid text, undo_seconds double precision, mail uuid, letter_name text, letter_locale text, letter_facts jsonb, counts_passkeys boolean, mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text)
 RETURNS SETOF tokens
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    holder users;
    used tokens;
    many bigint := 0;
    undone_until timestamptz := now() + make_interval(secs => undo_seconds);
begin
    select * into holder from users u
    where u.project_id = project and u.id = owner and u.status <> 'blocked' for update;
    if not found then
        return;
    end if;
    delete from tokens t
    where t.project_id = project and t.id = used_id and t.user_id = owner and t.expires_at > now()
        and t.email = holder.email and t.email_version = holder.email_version
    returning * into used;
    if not found then
        return;
    end if;
    delete from password_history p
    where p.project_id = project and p.user_id = owner and p.id not in (
        select h.id from password_history h where h.project_id = project and h.user_id = owner
        order by h.id desc limit greatest(kept - 2, 0)
    );
    if kept > 1 and holder.password_hash is not null then
        insert into password_history (project_id, user_id, password_hash) values (project, owner, holder.password_hash);
    end if;
    update users u set password_hash = hash, password_updated_at = now(), updated_at = now(), email_verified = true,
        proved_by_holder = true
    where u.project_id = project and u.id = owner;
    if not (holder.email_verified and holder.proved_by_holder) then
        perform remove_factors(project, owner);
    end if;
    perform revoke_tokens(project, owner, array_remove(
        array[holder.email, case when holder.phone_verified_at is not null then holder.phone end], null
    ));
    -- After the lock: a session that was opened while this waited ends too.
    perform end_sessions(project, owner);
    if counts_passkeys then
        many := count_passkeys(project, owner);
    end if;
    insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at, proved_by_holder)
    values (project, notice_id, 'disavowal', owner, holder.email, holder.email_version, notice_kid, undone_until, true);
    insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
        traceparent)
    values (project, mail, letter_name, owner, notice_id, holder.email, letter_locale,
        case when many > 0 then letter_facts || jsonb_build_object('passkeys', many) else letter_facts end,
        undone_until, mail_message_id, trace);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, owner, client_ip, agent, trace);
    insert into acts (project_id, id) values (project, act);
    return next used;
end $function$;

CREATE OR REPLACE FUNCTION public.registered_targets(project text, holder text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
    return (
        select coalesce(json_agg(json_build_object(
            'id', t.id, 'provider_type', t.provider_type, 'provider_id', t.provider_id, 'name', t.name,
            'identifier', t.identifier, 'created_at', t.created_at, 'updated_at', t.updated_at
        ) order by t.created_at, t.id), '[]')::text
        from targets t
        left join sessions s on s.project_id = t.project_id and s.user_id = t.user_id and s.id = t.session_id
        where t.project_id = project and t.user_id = holder and (t.session_id is null or s.expires_at > now())
    );
end $function$;

CREATE OR REPLACE FUNCTION public.remove_factors(project text, owner text)
 RETURNS void
 LANGUAGE sql
AS $function$
    delete from identities where project_id = project and user_id = owner;
    delete from authenticators where project_id = project and user_id = owner;
    delete from passkeys where project_id = project and user_id = owner;
    delete from recovery_codes where project_id = project and user_id = owner;
    delete from targets where project_id = project and user_id = owner;
    delete from mfa_changes where project_id = project and user_id = owner;
    delete from phone_changes where project_id = project and user_id = owner;
    update users set mfa = false, phone = null, phone_verified_at = null, phone_by_holder = false,
        phone_version = phone_version + case when phone is null then 0 else 1 end
    where project_id = project and id = owner;
$function$;

CREATE OR REPLACE FUNCTION public.revoke_tokens(project text, owner text, addresses text[])
 RETURNS void
 LANGUAGE sql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
    delete from tokens
    where project_id = project and kind not in ('disavowal', 'email_undo')
        and (user_id = owner or (user_id is null and email = any(addresses)));
$function$;

CREATE OR REPLACE FUNCTION public.shares_mailbox(project text, address text, mover text, proved boolean)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
declare
    mailbox text := mailbox_of(address);
begin
    if not claim_mailbox(project, address) then
        return false;
    end if;
    if proved then
        update users set email = null, email_version = email_version + 1, updated_at = now()
        where project_id = project and not email_verified and email <> address and id is distinct from mover
            and (email = mailbox or (mailbox_of(email) <> email and mailbox_of(email) = mailbox));
    end if;
    return exists (
        select from users
        where project_id = project and id is distinct from mover
            and (email = mailbox or (mailbox_of(email) <> email and mailbox_of(email) = mailbox))
    );
end $function$;

CREATE OR REPLACE FUNCTION public.sign_in(project text, act uuid, owner text, password_date timestamp with time zone, earlier_hash text, new_hash text, session_id text, secret bytea, client_ip text, country text, device text[], seconds double precision, event uuid, event_name text, agent text, trace text)
 RETURNS TABLE(opened sessions, was_verified boolean)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    address text;
begin
    -- Locks the row: a session that is opened at the same time is counted.
    update users u set accessed_at = now(), password_hash = case
        when u.password_hash = earlier_hash then coalesce(new_hash, u.password_hash) else u.password_hash end
    where u.project_id = project and u.id = owner and u.status <> 'blocked'
        and u.password_updated_at is not distinct from password_date
    returning u.email, u.email_verified into address, was_verified;
    if not found then
        return;
    end if;
    -- As end_surplus_sessions does.
    delete from sessions s where s.project_id = project and s.user_id = owner and s.id <= (
        select o.id from sessions o where o.project_id = project and o.user_id = owner
        order by o.id desc offset (select p.session_limit - 1 from projects p where p.id = project) limit 1
    );
    insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, ip,
        country_code, os_code, os_name, os_version, client_type, client_code, client_name, client_version,
        client_engine, client_engine_version, device_name, device_brand, device_model, expires_at)
    values (project, owner, session_id, secret, 'email', coalesce(address, ''), 'password', '{password}', client_ip,
        country, device[1], device[2], device[3], device[4], device[5], device[6], device[7], device[8], device[9],
        device[10], device[11], device[12], now() + make_interval(secs => seconds))
    returning * into opened;
    insert into acts (project_id, id) values (project, act);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, owner, client_ip, agent, trace);
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.sign_in(project text, act uuid, owner text, password_date timestamp with time zone, earlier_hash text, new_hash text, session_id text, secret bytea, client_ip text, country text, device text[], seconds double precision, notice_id text, notice_kid text, undo_seconds double precision, mail uuid, letter_name text, letter_locale text, letter_facts jsonb, mail_message_id text, event uuid, event_name text, agent text, trace text)
 RETURNS TABLE(opened sessions, was_verified boolean)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
    address text;
    version int;
    by_holder boolean;
    undone_until timestamptz := now() + make_interval(secs => undo_seconds);
begin
    -- Locks the row: a session that is opened at the same time is counted.
    update users u set accessed_at = now(), password_hash = case
        when u.password_hash = earlier_hash then coalesce(new_hash, u.password_hash) else u.password_hash end
    where u.project_id = project and u.id = owner and u.status <> 'blocked'
        and u.password_updated_at is not distinct from password_date
    returning u.email, u.email_version, u.email_verified, u.proved_by_holder
    into address, version, was_verified, by_holder;
    if not found then
        return;
    end if;
    -- As end_surplus_sessions does.
    delete from sessions s where s.project_id = project and s.user_id = owner and s.id <= (
        select o.id from sessions o where o.project_id = project and o.user_id = owner
        order by o.id desc offset (select p.session_limit - 1 from projects p where p.id = project) limit 1
    );
    insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, ip,
        country_code, os_code, os_name, os_version, client_type, client_code, client_name, client_version,
        client_engine, client_engine_version, device_name, device_brand, device_model, expires_at)
    values (project, owner, session_id, secret, 'email', coalesce(address, ''), 'password', '{password}', client_ip,
        country, device[1], device[2], device[3], device[4], device[5], device[6], device[7], device[8], device[9],
        device[10], device[11], device[12], now() + make_interval(secs => seconds))
    returning * into opened;
    insert into acts (project_id, id) values (project, act);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, owner, client_ip, agent, trace);
    -- An address that is not proved may be another person's.
    if notice_id is not null and was_verified then
        insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at, proved_by_holder)
        values (project, notice_id, 'disavowal', owner, address, version, notice_kid, undone_until, by_holder);
        insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
            traceparent)
        values (project, mail, letter_name, owner, notice_id, address, letter_locale, letter_facts, undone_until,
            mail_message_id, trace);
    end if;
    return next;
end $function$;

CREATE OR REPLACE FUNCTION public.targets_of(project text, holder text, has_targets boolean)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$ select case when has_targets then registered_targets(project, holder) else '[]' end $function$;

CREATE OR REPLACE FUNCTION public.uuid_at(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$function$;

CREATE OR REPLACE FUNCTION public.wants_event(types text[], name text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
    select types = '{}' or exists (
        select from unnest(types) t where t = name or (t like '%.*' and starts_with(name, left(t, -1)))
    )
$function$;

CREATE OR REPLACE FUNCTION public.with_call(w windows, moment timestamp with time zone, share integer)
 RETURNS windows
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
declare
    last int := cardinality(w.calls);
begin
    if w.many[last] < share then
        w.calls[last] := greatest(moment, w.calls[last]);
        w.many[last] := w.many[last] + 1;
    else
        w.calls := w.calls || moment;
        w.many := w.many || 1;
    end if;
    return w;
end $function$;

CREATE OR REPLACE FUNCTION public.with_call(w windows, moment timestamp with time zone, span interval, most integer)
 RETURNS windows
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
declare
    last int;
begin
    if w.calls[1] <= moment - span or cardinality(w.many) < cardinality(w.calls) then
        select coalesce(array_agg(e.at order by e.at), '{}'), coalesce(array_agg(coalesce(e.many, 1) order by e.at), '{}')
        into w.calls, w.many
        from unnest(w.calls, w.many) e (at, many) where e.at > moment - span;
    end if;
    last := cardinality(w.calls);
    if most > 1000 and w.many[last] < most / 100 then
        w.calls[last] := greatest(moment, w.calls[last]);
        w.many[last] := w.many[last] + 1;
    else
        w.calls := w.calls || moment;
        w.many := w.many || 1;
    end if;
    if w.expires_at < moment + span then
        w.expires_at := moment + span * 1.25;
    end if;
    return w;
end $function$;
