package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringdown/secret"
)

const (
	secretPrefix = "whsec_"
	minKey       = 24 // bytes
	maxKey       = 64
)

// decodeSecret gives the key inside "whsec_<base64>". The error does not repeat
// it.
func decodeSecret(s secret.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(s.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok || err != nil:
		return nil, errors.New("must be whsec_ and base64; `echo whsec_$(openssl rand -base64 32)` makes one")
	case len(key) < minKey || len(key) > maxKey:
		return nil, fmt.Errorf("holds %d bytes and must hold %d to %d; `echo whsec_$(openssl rand -base64 32)` makes one", len(key), minKey, maxKey)
	}
	return key, nil
}

// sign gives the header webhook-signature: one signature per key, in the order
// of the keys. Standard Webhooks, "Signature scheme", symmetric.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + unix(at) + ".")) // never fails
		_, _ = mac.Write(body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
