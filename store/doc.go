// Package store keeps everything that must outlive the process, on SQLite (the
// default) or on PostgreSQL: meetings with their events, deliveries with their
// attempts, and signing keys. It implements the ports meeting.Store and
// outbox.Store with one SQL text for both engines; the few statements that
// differ stand side by side in statements.go, and each engine has its folder of
// migrations.
//
// It refuses to know HTTP, media and vendors, and it decides nothing: rules
// belong to whoever calls it. No error or log line of it carries a value that
// was to be stored.
//
// On PostgreSQL Open starts one goroutine, which listens for the commits of
// other nodes; Close ends it and waits.
package store
