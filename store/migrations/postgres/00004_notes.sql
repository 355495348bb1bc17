-- +goose Up
-- What each agent wrote down in a meeting; visitors are never told.
create table note (
  meeting text collate "C" not null references meeting (id),
  author  text collate "C" not null,
  name    text not null,
  text    text not null,
  at      bigint not null,
  primary key (meeting, author)
);
create index invitation_meeting on invitation (meeting, id);
