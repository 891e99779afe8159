-- What was asked for where sign-up is private: an account is made of it when the link is used that was mailed for it.
create table sign_ups (
    project_id    text not null,
    token_id      text not null,
    name          text not null,
    password_hash text not null,
    primary key (project_id, token_id),
    foreign key (project_id, token_id) references tokens on delete cascade
);
