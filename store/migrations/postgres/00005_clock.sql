-- +goose Up
-- One row: our clock while calls were open, so that a later start does not go
-- back behind it.
create table clock (
  id integer primary key check (id = 1),
  at bigint not null
);
insert into clock (id, at) values (1, 0);
