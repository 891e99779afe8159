-- Spreads the tables over the nodes of Citus by project: `python -m service migrate --distribute`, which drops foreign
-- keys first and adds them again afterwards. What is not named here stays on the coordinator: rate-limit windows, which
-- many projects count in one statement, guesses that older servers counted, and the ledger of migrations.

-- Whole on every node: what operators set up, small, and read with each project's rows.
select create_reference_table('projects');
select create_reference_table('apps');
select create_reference_table('platforms');
select create_reference_table('api_keys');
select create_reference_table('branding');
select create_reference_table('project_relays');
select create_reference_table('dkim_keys');
select create_reference_table('providers');
select create_reference_table('template_overrides');

-- All rows of a project on one node, so that each act is one node's transaction.
select create_distributed_table('users', 'project_id');
select create_distributed_table('user_texts', 'project_id', colocate_with => 'users');
select create_distributed_table('sessions', 'project_id', colocate_with => 'users');
select create_distributed_table('tokens', 'project_id', colocate_with => 'users');
select create_distributed_table('sign_ups', 'project_id', colocate_with => 'users');
select create_distributed_table('password_history', 'project_id', colocate_with => 'users');
select create_distributed_table('authenticators', 'project_id', colocate_with => 'users');
select create_distributed_table('recovery_codes', 'project_id', colocate_with => 'users');
select create_distributed_table('challenges', 'project_id', colocate_with => 'users');
select create_distributed_table('mfa_changes', 'project_id', colocate_with => 'users');
select create_distributed_table('passkeys', 'project_id', colocate_with => 'users');
select create_distributed_table('passkey_challenges', 'project_id', colocate_with => 'users');
select create_distributed_table('identities', 'project_id', colocate_with => 'users');
select create_distributed_table('identity_tokens', 'project_id', colocate_with => 'users');
select create_distributed_table('oauth_flows', 'project_id', colocate_with => 'users');
select create_distributed_table('used_id_tokens', 'project_id', colocate_with => 'users');
select create_distributed_table('phone_changes', 'project_id', colocate_with => 'users');
select create_distributed_table('targets', 'project_id', colocate_with => 'users');
select create_distributed_table('missed_guesses', 'project_id', colocate_with => 'users');
select create_distributed_table('mails', 'project_id', colocate_with => 'users');
select create_distributed_table('mail_events', 'project_id', colocate_with => 'users');
select create_distributed_table('suppressions', 'project_id', colocate_with => 'users');
select create_distributed_table('test_accounts', 'project_id', colocate_with => 'users');
select create_distributed_table('invitations', 'project_id', colocate_with => 'users');
select create_distributed_table('sms', 'project_id', colocate_with => 'users');
select create_distributed_table('events', 'project_id', colocate_with => 'users');
select create_distributed_table('event_feeds', 'project_id', colocate_with => 'users');
select create_distributed_table('feed_events', 'project_id', colocate_with => 'users');
select create_distributed_table('webhook_endpoints', 'project_id', colocate_with => 'users');
select create_distributed_table('webhook_secrets', 'project_id', colocate_with => 'users');
select create_distributed_table('webhook_deliveries', 'project_id', colocate_with => 'users');
select create_distributed_table('webhook_lanes', 'project_id', colocate_with => 'users');
select create_distributed_table('logs', 'project_id', colocate_with => 'users');
select create_distributed_table('log_chains', 'project_id', colocate_with => 'users');
select create_distributed_table('log_checkpoints', 'project_id', colocate_with => 'users');
select create_distributed_table('acts', 'project_id', colocate_with => 'users');
