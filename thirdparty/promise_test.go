package thirdparty_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ringdown/internal/leak"
	"ringdown/thirdparty"
)

// The other half of C7, rings at a rate on the whole daemon, is app's.
func TestC7_a_store_that_hangs_delays_no_phone(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{{Name: "r", Autopause: true}}})
	d.store.Hang(true)
	judged := os.Getenv("RINGDOWN_PROMISES") != ""
	rings := 40
	if judged {
		rings = 400
	}
	took := make([]time.Duration, rings)
	var all sync.WaitGroup
	for i := range rings {
		all.Go(func() {
			began := time.Now()
			w := d.send("POST", openly+"/"+pathSecret, call(fmt.Sprint(i), fmt.Sprint("c", i), "06"))
			took[i] = time.Since(began)
			if w.Code != 200 || !slices.Contains(w.Body.Bytes(), '#') {
				t.Errorf("ring %d: %d %s", i, w.Code, w.Body)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	const most = 300 * time.Millisecond
	p99 := took[len(took)*99/100]
	fmt.Printf("promise C7 answer p99, the store hanging %d ms (at most %d ms)\n", p99.Milliseconds(), most.Milliseconds())
	if judged && p99 > most || p99 > 10*time.Second {
		t.Errorf("p99 is %s", p99)
	}
}
