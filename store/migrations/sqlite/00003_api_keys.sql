-- Keys of the API: shown once, kept as the hex SHA-256 of the key.

-- +goose Up
create table api_key (
  id         text primary key,
  name       text not null,
  role       text not null,
  hash       text not null unique,
  created_at integer not null,
  last_used  integer not null,
  revoked_at integer not null
);
