-- +goose Up
-- Records of customers made here, found by any of their numbers and words, and
-- the contacts with anybody.
create table customer (
  id text primary key,
  email text not null,
  external_id text not null,
  words text not null,
  created_at integer not null,
  doc text not null
);
create index customer_email on customer (email) where email <> '';
create index customer_external on customer (external_id) where external_id <> '';
create table customer_phone (
  number text not null,
  customer text not null references customer (id) on delete cascade,
  primary key (number, customer)
);
create index customer_phone_customer on customer_phone (customer);
create table contact (
  id text primary key,
  number text not null,
  customer text not null,
  at integer not null,
  doc text not null
);
create index contact_number on contact (number, at) where number <> '';
create index contact_customer on contact (customer, at) where customer <> '';
create index contact_at on contact (at);
