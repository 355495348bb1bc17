// Package xucmgt is a stand-in of XiVO's agent app, XucMgt, and of the part of
// XUC that says whether an agent's token is good. It does what the documented
// and published client does on a ringing call, its traps too: one current
// action, no word about errors, a pause that only the current action ends.
//
// It serves its page on a listener of its own, so that the request crosses
// origins as the real one does. It shares nothing with the connector it tests: a
// mistake must not be made twice. README.md has the sources.
package xucmgt
