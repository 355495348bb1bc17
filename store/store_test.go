package store_test

import (
	"testing"

	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestStore(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) { storetest.Run(t, e) })
	}
}
