-- Which deliveries may go, and what became of all of them.
--
-- head: the oldest pending delivery of its dest and lane; only heads are sent,
-- so that finding them costs the same however many wait behind them.
-- lane: 0 as it happened, 1 made again by a replay.
-- tries: attempts since queued_at, when it was last made pending.

-- +goose Up
alter table delivery add column head boolean not null default false;
alter table delivery add column lane integer not null default 0;
alter table delivery add column tries integer not null default 0;
alter table delivery add column queued_at integer not null default 0;
update delivery set tries = attempts, queued_at = created_at;
update delivery set head = true where id in (select min(id) from delivery where state = 'pending' group by dest);

drop index delivery_pending;
create index delivery_pending on delivery (dest, lane, id) where state = 'pending';
create unique index delivery_head on delivery (dest, lane) where head = true;
create index delivery_heads on delivery (target, lane, next_at, id) where head = true;
create index delivery_created on delivery (created_at, id);
create index delivery_done on delivery (done_at) where done_at > 0;

-- What each target was ever given, and what of it is no longer kept.
create table delivery_tally (
  target   text primary key,
  produced integer not null,
  pruned   integer not null
);
insert into delivery_tally (target, produced, pruned) select target, count(*), 0 from delivery group by target;

-- Replays that were ordered: those with ended_at = 0 are worked off, the oldest
-- first. done counts what was made pending, at is the last delivery looked at.
create table replay (
  id         integer primary key autoincrement,
  public     text not null unique,
  selection  text not null,
  matched    integer not null,
  done       integer not null,
  at         integer not null,
  upto       integer not null,
  created_at integer not null,
  ended_at   integer not null
);
create index replay_open on replay (id) where ended_at = 0;
