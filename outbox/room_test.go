package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
)

// TestD7 with a fake clock: however many of its deliveries hang, a target takes
// no more than its own places.
func TestD7_a_target_that_hangs_fills_its_own_places_only(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Translators: []outbox.Translator{translatorFunc(func(ev meeting.Event) ([]outbox.Draft, error) {
			return []outbox.Draft{
				{Target: "desk/dead", Dest: "dead/" + string(ev.Meeting), Body: []byte("dead")},
				{Target: "desk/good", Dest: "good/" + string(ev.Meeting), Body: []byte(ev.ID)},
			}, nil
		})}})
		var mu sync.Mutex
		hanging, most := 0, 0
		h.desk.will(func(ctx context.Context, d outbox.Delivery) outbox.Result {
			if d.Target != "desk/dead" {
				return outbox.Result{Verdict: outbox.OK}
			}
			mu.Lock()
			hanging++
			most = max(most, hanging)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			hanging--
			mu.Unlock()
			return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
		})
		for n := range 600 {
			at := time.Now()
			h.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), meeting.KindMessage))
			synctest.Wait()
			i := slices.IndexFunc(h.desk.seen(), func(c call) bool { return c.body == fmt.Sprint(n) })
			if i < 0 || !h.desk.seen()[i].at.Equal(at) {
				t.Fatalf("event %d waits behind the dead target", n)
			}
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if most != 8 {
			t.Errorf("%d attempts hung at a time, want 8", most)
		}
	})
}

// TestD9 with a fake clock: a replay leaves half of the places to what happens
// now, and is kept over a restart.
func TestD9_a_replay_leaves_room_and_survives_a_restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		h := start(t, store, outbox.Options{})
		const n = 250
		for i := range n {
			h.add(event(fmt.Sprint(i), meeting.ID(fmt.Sprint("m", i)), meeting.KindMessage))
		}
		time.Sleep(time.Minute + 500*time.Millisecond)
		synctest.Wait()
		if _, err := store.Replay(t.Context(), outbox.Selection{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			time.Sleep(10 * time.Second)
			return outbox.Result{Verdict: outbox.OK}
		})
		time.Sleep(550 * time.Millisecond) // the keeper looks each second
		synctest.Wait()
		h.stop() // in the middle of it
		if r := store.replays[0]; r.Done == 0 || r.Done == n {
			t.Errorf("stopped when %d of %d were made pending", r.Done, n)
		}

		h = start(t, store, outbox.Options{})
		var mu sync.Mutex
		busy, most := 0, 0
		h.desk.will(func(_ context.Context, d outbox.Delivery) outbox.Result {
			if !d.Replayed {
				return outbox.Result{Verdict: outbox.OK}
			}
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return outbox.Result{Verdict: outbox.OK}
		})
		time.Sleep(5 * time.Second)
		for i := range 20 { // live ones find a place at once
			at := time.Now()
			h.add(event(fmt.Sprint("live", i), "live", meeting.KindMessage))
			synctest.Wait()
			if !slices.ContainsFunc(h.desk.seen(), func(c call) bool { return c.body == fmt.Sprint("live", i) && c.at.Equal(at) }) {
				t.Errorf("live %d waits behind the replay", i)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if most != 4 {
			t.Errorf("%d replayed at a time, want 4", most)
		}
		for i := range int64(n) {
			if d := h.the(t, i+1); d.State != outbox.Delivered || !d.Replayed || d.Attempts != 2 {
				t.Errorf("delivery %d is %s after %d attempts", i+1, d.State, d.Attempts)
			}
		}
	})
}

func TestEndedDeliveriesAreKeptThirtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 10 * time.Minute}})
		h.desk.will(func(_ context.Context, d outbox.Delivery) outbox.Result {
			if d.Kind == meeting.KindEnded {
				return outbox.Result{Verdict: outbox.GiveUp, Reason: "status_410"}
			}
			return outbox.Result{Verdict: outbox.OK}
		})
		for n := range 450 { // more than two batches
			h.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), []meeting.Kind{meeting.KindMessage, meeting.KindEnded}[n%2]))
		}
		time.Sleep(24 * time.Hour)
		h.add(event("later", "m", meeting.KindMessage))
		time.Sleep(29*24*time.Hour - time.Minute)
		synctest.Wait()
		if n := len(list(t, h)); n != 200 { // a list's limit
			t.Errorf("%d are left before the time", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if left := list(t, h); len(left) != 1 || string(left[0].Body) != "later" {
			t.Errorf("%d are left after 30 days", len(left))
		}
		c, err := h.Counts(t.Context())
		if err != nil || c["desk/a"] != (outbox.Counts{Produced: 451, Delivered: 1, Pruned: 450}) {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

func list(t *testing.T, h *house) []outbox.Delivery {
	t.Helper()
	ds, err := h.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func TestRoomIsAllotted(t *testing.T) {
	busy := map[string]outbox.Busy{"a": {Live: 7}, "b": {Live: 2, Replayed: 4}, "c": {Replayed: 1}}
	for _, tc := range []struct {
		name string
		room outbox.Room
		due  []outbox.Due
		want []outbox.Due
	}{
		{"nothing is due", outbox.Room{Limit: 10, Target: 8, Replayed: 4}, nil, nil},
		{
			"what is on its way counts",
			outbox.Room{Limit: 100, Target: 8, Replayed: 4, Busy: busy},
			[]outbox.Due{{"a", false, 8}, {"b", false, 8}, {"b", true, 8}, {"c", true, 8}, {"d", false, 3}},
			[]outbox.Due{{"d", false, 3}, {"b", false, 2}, {"a", false, 1}, {"c", true, 3}},
		},
		{
			"live ones first",
			outbox.Room{Limit: 100, Target: 8, Replayed: 4},
			[]outbox.Due{{"a", true, 8}, {"a", false, 6}, {"b", true, 8}},
			[]outbox.Due{{"a", false, 6}, {"a", true, 2}, {"b", true, 4}},
		},
		{
			"the least busy first when places are short",
			outbox.Room{Limit: 3, Target: 8, Replayed: 4, Busy: busy},
			[]outbox.Due{{"a", false, 1}, {"b", false, 2}, {"d", false, 2}},
			[]outbox.Due{{"d", false, 2}, {"b", false, 1}},
		},
		{"a full target", outbox.Room{Limit: 10, Target: 7, Busy: busy}, []outbox.Due{{"a", false, 7}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.room.Allot(tc.due); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
