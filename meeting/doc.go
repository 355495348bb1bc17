// Package meeting is the core: what a meeting is, who may ring whom, who won,
// what was said, and when it is over. One state machine, written as pure
// functions on Meeting, decides everything; Service loads, decides and saves
// under compare-and-set, and Clock lets time pass.
//
// The package refuses to know HTTP, SQL, media and vendors. It starts no
// goroutine of its own: Clock.Run belongs to whoever calls it.
package meeting
