-- +goose Up
-- Telephone calls that desks told of, gone a day after their last ring; what
-- desks asked lately, masked; which login of a desk is which of its users.
create table phone_call (
  id text primary key,
  version integer not null,
  desk text not null,
  agent text not null,
  ref text not null,
  rung_at integer not null,
  expires_at integer not null,
  doc text not null
);
create index phone_call_agent on phone_call (desk, agent, rung_at);
create index phone_call_ref on phone_call (desk, ref) where ref <> '';
create index phone_call_expires on phone_call (expires_at);
create table desk_journal (
  id integer primary key autoincrement,
  desk text not null,
  kind text not null,
  at integer not null,
  doc text not null
);
create index desk_journal_desk on desk_journal (desk, id);
create table desk_login (
  desk text not null,
  userid text not null,
  login text not null,
  primary key (desk, userid)
);
