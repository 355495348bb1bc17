// Package xcally stands in for an XCALLY Motion server with OpenChannel
// accounts, over real HTTP on a listener of its own: connectors post to its
// Receive URLs, a person answers in its inbox page, and the answers go out to
// the accounts' Reply URLs.
//
// It owns the accounts, the contacts, interactions and messages (in memory,
// bounded, gone at the end), the documented answers and the faults a test asks
// for. It refuses to know the connector it is used against: nothing is shared
// with it, so that one misreading of the documents is not made twice.
//
// What the documents leave open is decided here and marked "our choice".
// Attachments, queues, triggers and the Actions flow are not played.
//
// [Server.Run] runs every goroutine: the HTTP server and one sender per
// account. One mutex guards all state; nothing is called out under it.
package xcally
