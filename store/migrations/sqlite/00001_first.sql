-- Times are Unix milliseconds, 0 means none. JSON is text and never queried.

-- +goose Up
create table meeting (
  id         text primary key,
  code       text not null unique,
  version    integer not null,
  seq        integer not null,
  state      text not null,
  queue      text not null,
  due_at     integer not null,
  created_at integer not null,
  doc        text not null
);
create index meeting_due on meeting (due_at, id) where due_at > 0;
create index meeting_state on meeting (state, id);

create table event (
  id      integer primary key autoincrement,
  public  text not null,
  meeting text not null references meeting (id),
  seq     integer not null,
  kind    text not null,
  at      integer not null,
  relayed boolean not null,
  doc     text not null,
  unique (meeting, seq)
);
create index event_unrelayed on event (id) where relayed = false;

create table invitation (
  id          text primary key,
  meeting     text not null references meeting (id),
  role        text not null,
  participant text not null,
  generation  integer not null,
  created_at  integer not null,
  expires_at  integer not null,
  revoked_at  integer not null,
  opened_at   integer not null
);

create table message (
  id      text primary key,
  meeting text not null references meeting (id),
  seq     integer not null,
  key     text not null,
  doc     text not null
);
create unique index message_seq on message (meeting, seq);
create unique index message_key on message (meeting, key) where key <> '';

create table ref (
  vendor  text not null,
  key     text not null,
  meeting text not null references meeting (id),
  primary key (vendor, key)
);
create index ref_meeting on ref (meeting);

create table idempotency (
  owner      text not null,
  key        text not null,
  hash       text not null,
  meeting    text not null,
  expires_at integer not null,
  primary key (owner, key)
);
create index idempotency_expires on idempotency (expires_at);

create table presence (
  meeting     text not null,
  participant text not null,
  until_at    integer not null,
  primary key (meeting, participant)
);
create index presence_until on presence (until_at);

create table signing_key (
  id         text primary key,
  secret     blob not null,
  created_at integer not null,
  retired_at integer not null
);

-- One row: who updates it first relays alone.
create table relay_turn (
  id   integer primary key check (id = 1),
  turn integer not null
);
insert into relay_turn (id, turn) values (1, 0);

create table delivery (
  id          integer primary key autoincrement,
  public      text not null unique,
  event       text not null,
  kind        text not null,
  meeting     text not null,
  target      text not null,
  dest        text not null,
  body        blob not null,
  state       text not null,
  reason      text not null,
  attempts    integer not null,
  next_at     integer not null,
  expires_at  integer not null,
  created_at  integer not null,
  done_at     integer not null,
  lease_until integer not null,
  lease_by    text not null
);
create index delivery_pending on delivery (dest, id, lease_until, next_at) where state = 'pending';
create index delivery_expires on delivery (expires_at) where state = 'pending' and expires_at > 0;
create index delivery_target on delivery (target, state, id);
create index delivery_meeting on delivery (meeting, id);

create table attempt (
  id       integer primary key autoincrement,
  delivery integer not null references delivery (id),
  n        integer not null,
  at       integer not null,
  took_us  integer not null,
  verdict  text not null,
  reason   text not null,
  status   integer not null
);
create index attempt_delivery on attempt (delivery, id);
