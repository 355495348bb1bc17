package thirdparty

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"ringdown/connectors"
	"ringdown/meeting"
)

const (
	checkers    = 4               // tokens that are checked at a time
	checksWait  = 200             // that wait for it
	checkFor    = 5 * time.Second // as long as the agent app itself waits for XUC
	checkedKeep = 10 * time.Minute
	checkedMost = 2000
	expirySlack = 30 * time.Second
)

// verdict is what a check of a token came to.
type verdict string

const (
	tokenGood    verdict = "good"
	tokenRefused verdict = "token_refused"   // XUC does not know it, or no longer
	loginOther   verdict = "login_other"     // it is another user's
	tokenUnknown verdict = "token_unchecked" // XUC did not answer
)

// trust is what the verdict makes of a ring that otherwise has t.
func (v verdict) trust(policy string, t meeting.Trust) meeting.Trust {
	switch v {
	case tokenGood:
		return meeting.Trust{By: "token"}
	case tokenUnknown:
		if policy != tokenRequired {
			return t
		}
	case tokenRefused, loginOther:
	}
	return meeting.Trust{Why: string(v)}
}

// checker asks XUC whether tokens are good. It keeps hashes, never a token.
type checker struct {
	cfg  Token
	way  connectors.Doer
	deps connectors.Deps
	jobs chan tokenJob

	mu   sync.Mutex
	seen map[[sha256.Size]byte]checked
}

type tokenJob struct {
	token, user string
	done        func(context.Context, verdict)
}

type checked struct {
	verdict verdict
	until   time.Time
}

func newChecker(cfg Token, way connectors.Doer, d connectors.Deps) *checker {
	return &checker{cfg: cfg, way: way, deps: d, jobs: make(chan tokenJob, checksWait), seen: map[[sha256.Size]byte]checked{}}
}

func keyOf(token, user string) [sha256.Size]byte { return sha256.Sum256([]byte(user + "\x00" + token)) }

// known is an earlier verdict that still holds.
func (k *checker) known(token, user string, now time.Time) (verdict, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.seen[keyOf(token, user)]
	return c.verdict, ok && now.Before(c.until)
}

// later has a token checked, or returns false when too many wait for it.
func (k *checker) later(j tokenJob) bool {
	select {
	case k.jobs <- j:
		return true
	default:
		k.deps.Log.Warn("too many tokens wait to be checked")
		return false
	}
}

func (k *checker) run(ctx context.Context) error {
	var all sync.WaitGroup
	for range checkers {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-k.jobs:
					j.done(ctx, k.check(ctx, j.token, j.user))
				}
			}
		})
	}
	all.Wait()
	return nil
}

// check asks XUC and binds the login to the user.
func (k *checker) check(ctx context.Context, token, user string) verdict {
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	now := k.deps.Now()
	if v, ok := k.known(token, user, now); ok {
		return v
	}
	claims, err := claimsOf(token)
	if err != nil || !now.Before(claims.expires) {
		return tokenRefused
	}
	login, err := k.ask(ctx, token)
	switch {
	case errors.Is(err, errRefused), err == nil && login != claims.login:
		return k.keep(token, user, tokenRefused, now.Add(expirySlack))
	case err != nil:
		k.deps.Log.WarnContext(ctx, "XUC does not say whether a token is good", "err", err)
		return tokenUnknown
	}
	bound, given := k.cfg.Users[user]
	if name, sheet := strings.CutPrefix(user, sheetUser); sheet { // it names the login itself
		bound, login = name, strings.ToLower(login)
	} else if !given && len(k.cfg.Users) == 0 {
		if bound, err = k.deps.Bindings.BindLogin(ctx, Desk, user, login); err != nil {
			k.deps.Log.WarnContext(ctx, "a login cannot be bound to its user", "err", err)
			return tokenUnknown
		}
	}
	until := now.Add(checkedKeep)
	if last := claims.expires.Add(-expirySlack); last.Before(until) {
		until = last
	}
	if bound != login {
		return k.keep(token, user, loginOther, until)
	}
	return k.keep(token, user, tokenGood, until)
}

func (k *checker) keep(token, user string, v verdict, until time.Time) verdict {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) >= checkedMost {
		clear(k.seen)
	}
	k.seen[keyOf(token, user)] = checked{v, until}
	return v
}

var errRefused = errors.New("refused")

// ask is XUC's check call (contract section 7). The renewed token that comes
// with the answer is dropped.
func (k *checker) ask(ctx context.Context, token string) (login string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(k.cfg.XUC, "/")+"/xuc/api/2.0/auth/check", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	res, err := k.way.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var said struct {
		Login string `json:"login"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, 64<<10)).Decode(&said); err != nil && res.StatusCode < 500 && res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden {
		return "", errors.New("the answer is not JSON")
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
	default: // a wrong address, a proxy, a server in trouble: nothing about the token
		return "", fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	if res.StatusCode != http.StatusOK || said.Error != "" || said.Login == "" {
		return "", errRefused
	}
	return said.Login, nil
}

type claims struct {
	login   string
	expires time.Time
}

// claimsOf reads an XUC token without checking it: times are called issuedAt and
// expiresAt there. XUC checks the signature; we cannot.
func claimsOf(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, errors.New("no token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims{}, errors.New("no token")
	}
	var c struct {
		Login     string `json:"login"`
		ExpiresAt int64  `json:"expiresAt"`
	}
	if err := json.Unmarshal(raw, &c); err != nil || c.Login == "" {
		return claims{}, errors.New("no token of an agent")
	}
	return claims{c.Login, time.Unix(c.ExpiresAt, 0)}, nil
}
