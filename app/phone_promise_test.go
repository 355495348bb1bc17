package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/config"
	"ringdown/customer"
	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

// TestC7_a_phone_is_answered_at_once: 500 ringing calls a second on one core,
// while twenty tabs wait for a customer source that never answers; each answer is
// 200 and a page, and each call is kept.
func TestC7_a_phone_is_answered_at_once(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			stop := make(chan struct{})
			answer := sync.OnceFunc(func() { close(stop) })
			hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-stop:
				case <-r.Context().Done():
				}
			}))
			t.Cleanup(hangs.Close)
			t.Cleanup(answer)
			h, _, _ := phoneHouse(t, e, func(c *config.Config) {
				c.Customers.Sources = append(c.Customers.Sources, customer.SourceConfig{
					Name: "crm", HTTP: &customer.HTTPConfig{ByPhone: hangs.URL + "/?n={phone}", Timeout: 20 * time.Second}, Fields: customer.Fields{ExternalID: "id"},
				})
			})
			perSecond, seconds, most := 100, 1, 20*time.Millisecond
			if judged() {
				perSecond, seconds = 500, 20
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			}
			var tabs sync.WaitGroup
			for i := range 20 {
				p := h.tab(h.ring("/"+phoneSecret, map[string]any{"callDataCallId": fmt.Sprint("w", i), "caller": fmt.Sprintf("06998877%02d", i)}))
				p.must("POST", "/open", map[string]any{})
				tabs.Go(func() { p.do("GET", "/customer", nil) })
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			n := perSecond * seconds
			took, bad := make([]time.Duration, n), make([]string, n)
			urls := make([]string, n)
			began := time.Now()
			jobs := make(chan int, n)
			var all sync.WaitGroup
			for range 32 {
				all.Go(func() {
					for i := range jobs {
						due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
						time.Sleep(time.Until(due)) // the load's own clock
						body := fmt.Sprintf(`{"user":{"userId":%d,"fullName":"Agent"},"callee":"1","caller":"06123%05d","callDataCallId":"c%d","userData":{}}`, i%400+100, i, i)
						res, err := client.Post(h.url+"/thirdparty/xucmgt/"+phoneSecret, "application/json", strings.NewReader(body))
						if err != nil {
							bad[i] = err.Error()
							continue
						}
						raw, _ := io.ReadAll(res.Body)
						_ = res.Body.Close()
						took[i] = time.Since(due) // from when it was due, not from when it went out
						var a map[string]any
						if json.Unmarshal(raw, &a) != nil || res.StatusCode != 200 || a["action"] != "open" {
							bad[i] = fmt.Sprint(res.StatusCode, " ", string(raw))
						}
						urls[i], _ = a["url"].(string)
					}
				})
			}
			for i := range n {
				jobs <- i
			}
			close(jobs)
			all.Wait()
			for i, b := range bad {
				if b != "" {
					t.Fatalf("ring %d: %s", i, b)
				}
			}
			for i := 0; i < n; i += max(1, n/50) {
				path, secret, _ := strings.Cut(urls[i], "#")
				p := tab{h, path[strings.LastIndex(path, "/")+1:], secret}
				if v := p.must("POST", "/open", map[string]any{}); v.text("caller") != fmt.Sprintf("06123%05d", i) {
					t.Errorf("ring %d: %s", i, v)
				}
			}
			promised(t, "C7", strings.ToLower(e.Name)+" answer p99, a source hanging", p99(took), most)
			answer()
			tabs.Wait()
		})
	}
}
