// Package signal speaks docs/protocol.md: it takes a client's WebSocket, lets
// its bearer into a room of media and carries descriptions, candidates and
// presence between the two.
//
// It refuses to know meetings and what a token means (a [Verifier] turns it
// into a grant), and routes: [Server] is a plain http.Handler.
//
// Each connection has two goroutines, the reader (the one net/http started) and
// the writer; both end with the connection, and [Server.Close] waits for them.
// Messages to a client wait in a queue of 256; a client that lets it fill is
// cut. Messages from a client are handled one by one in order of arrival, and a
// client that sends too many is cut.
//
// No token, name, address or description is ever logged.
package signal
