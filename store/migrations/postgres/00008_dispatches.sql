-- +goose Up
-- Links sent by SMS or mail, and how far each got.
create table dispatch (
  id text primary key,
  meeting text not null,
  agent text not null,
  address text not null,
  state text not null,
  created_at bigint not null,
  doc text not null
);
create index dispatch_meeting on dispatch (meeting, id);
create index dispatch_agent on dispatch (agent, created_at) where agent <> '';
create index dispatch_address on dispatch (address, created_at);
