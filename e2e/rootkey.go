//go:build ignore

// Rootkey writes a root key into the database of a daemon that has not been
// started yet: `go run e2e/rootkey.go <data_dir> <64 hex digits>`. A test that
// wants to verify tokens must know what they are signed with, and the program
// tells nobody.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ringdown/store"
)

func main() {
	if err := plant(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func plant(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("needs a data_dir and a key")
	}
	key, err := hex.DecodeString(args[1])
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{DataDir: args[0]}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer s.Close()
	return s.AddSigningKey(ctx, store.Key{ID: "k_of_a_test", Secret: key, CreatedAt: time.Now().UTC()})
}
