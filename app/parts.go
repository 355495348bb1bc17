package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// part is something long-running: run blocks, owns its goroutines and returns
// nil when ctx ends it.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// runParts starts the parts in order and, when ctx ends or one of them does,
// stops them in reverse, each one whole before the one below it.
func runParts(ctx context.Context, parts []part) error {
	type ended struct {
		i   int
		err error
	}
	ends := make(chan ended, len(parts))
	stops := make([]context.CancelFunc, len(parts))
	dones := make([]chan struct{}, len(parts))
	for i, p := range parts {
		var own context.Context
		own, stops[i] = context.WithCancel(context.WithoutCancel(ctx))
		dones[i] = make(chan struct{})
		go func() {
			defer close(dones[i])
			ends <- ended{i, p.run(own)}
		}()
	}
	var errs []error
	note := func(e ended, asked bool) {
		if e.err == nil && !asked {
			e.err = errPartEnded
		}
		if e.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", parts[e.i].name, e.err))
		}
	}
	seen := 0
	select {
	case <-ctx.Done():
	case e := <-ends:
		note(e, false)
		seen++
	}
	for i := range slices.Backward(parts) {
		stops[i]()
		<-dones[i]
	}
	for ; seen < len(parts); seen++ {
		note(<-ends, true)
	}
	return errors.Join(errs...)
}
