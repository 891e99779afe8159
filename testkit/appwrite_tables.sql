-- Tables of an Appwrite project as its MariaDB adapter makes them (utopia-php/database, without shared tables), as far
-- as users need them: strings up to 16,381 characters are varchar, longer ones text, arrays json.
create table if not exists `_console_projects` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `teamInternalId` varchar(255), `teamId` varchar(255), `name` varchar(128), `database` varchar(256),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
create table `_1_users` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `name` varchar(256), `email` varchar(320), `phone` varchar(16), `status` tinyint(1), `labels` json,
  `passwordHistory` json, `password` text, `hash` varchar(256), `hashOptions` text, `passwordUpdate` datetime(3),
  `prefs` text, `registration` datetime(3), `emailVerification` tinyint(1), `phoneVerification` tinyint(1),
  `reset` tinyint(1), `mfa` tinyint(1), `mfaRecoveryCodes` json, `authenticators` text, `sessions` text, `tokens` text,
  `challenges` text, `memberships` text, `targets` text, `search` text, `accessedAt` datetime(3),
  unique index `_key_email` (`email`(256)), unique index `_key_phone` (`phone`(16)),
  fulltext index `_key_search` (`search`),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
create table `_1_identities` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `userInternalId` varchar(255), `userId` varchar(255), `provider` varchar(128),
  `providerUid` varchar(2048), `providerEmail` varchar(320), `providerAccessToken` text,
  `providerAccessTokenExpiry` datetime(3), `providerRefreshToken` text, `secrets` text, `scopes` json,
  `expire` datetime(3), unique index `_key_provider_providerUid` (`provider`(128), `providerUid`(128)),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
create table `_1_authenticators` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `userInternalId` varchar(255), `userId` varchar(255), `type` varchar(255),
  `verified` tinyint(1), `data` text, key `_key_userInternalId` (`userInternalId`),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
create table `_1_targets` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `userId` varchar(255), `userInternalId` varchar(255), `sessionId` varchar(255),
  `sessionInternalId` varchar(255), `providerType` varchar(255), `providerId` varchar(255),
  `providerInternalId` varchar(255), `identifier` varchar(2048), `name` varchar(255), `expired` tinyint(1),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
create table `_1_memberships` (
  _id int(11) unsigned not null auto_increment, _uid varchar(255) not null,
  _createdAt datetime(3) default null, _updatedAt datetime(3) default null, _permissions mediumtext default null,
  primary key (_id), `userInternalId` varchar(255), `userId` varchar(255), `teamInternalId` varchar(255),
  `teamId` varchar(255), `roles` json, `confirm` tinyint(1), `secret` varchar(256),
  unique key _uid (_uid), key _created_at (_createdAt), key _updated_at (_updatedAt)
);
