-- +goose Up
-- What each agent wrote down in a meeting; visitors are never told.
create table note (
  meeting text not null references meeting (id),
  author  text not null,
  name    text not null,
  text    text not null,
  at      integer not null,
  primary key (meeting, author)
);
create index invitation_meeting on invitation (meeting, id);
