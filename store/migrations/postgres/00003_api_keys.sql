-- Keys of the API: shown once, kept as the hex SHA-256 of the key.

-- +goose Up
create table api_key (
  id         text collate "C" primary key,
  name       text collate "C" not null,
  role       text collate "C" not null,
  hash       text collate "C" not null unique,
  created_at bigint not null,
  last_used  bigint not null,
  revoked_at bigint not null
);
