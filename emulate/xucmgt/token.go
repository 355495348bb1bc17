package xucmgt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const tokenFor = time.Hour

// claims are those of an XUC token: the times are not called exp and iat.
type claims struct {
	Login        string   `json:"login"`
	ExpiresAt    int64    `json:"expiresAt"` // Unix seconds
	IssuedAt     int64    `json:"issuedAt"`
	UserType     string   `json:"userType"`
	ACLs         []string `json:"acls"`
	SoftwareType string   `json:"softwareType"`
}

// token signs one for a login, good until it expires.
func (s *Server) token(login string, expires time.Time) string {
	part := func(v any) string {
		b, _ := json.Marshal(v) // structs of strings and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"typ": "JWT", "alg": "HS256"}) + "." + part(claims{
		Login: login, ExpiresAt: expires.Unix(), IssuedAt: s.now().Unix(), UserType: "cti", ACLs: []string{"alias.ctiuser"}, SoftwareType: "webBrowser",
	})
	return text + "." + s.sign(text)
}

func (s *Server) sign(text string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// login answers POST /xuc/api/2.0/auth/login: any password is right.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Login string `json:"login"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil || in.Login == "" {
		refuse(w, http.StatusBadRequest, "InvalidJson", "login and password are needed")
		return
	}
	expires := s.now().Add(tokenFor)
	if r.URL.Query().Has("expired") { // a switch of this stand-in, not of XUC
		expires = s.now().Add(-time.Minute)
	}
	answer(w, http.StatusOK, map[string]any{"login": in.Login, "token": s.token(in.Login, expires), "TTL": int(tokenFor.Seconds())})
}

// check answers GET /xuc/api/2.0/auth/check.
func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i := strings.LastIndexByte(token, '.')
	if !ok || i < 0 || !hmac.Equal([]byte(s.sign(token[:i])), []byte(token[i+1:])) {
		refuse(w, http.StatusForbidden, "InvalidToken", "the token is not one of ours")
		return
	}
	var c claims
	_, middle, _ := strings.Cut(token[:i], ".")
	raw, err := base64.RawURLEncoding.DecodeString(middle)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	switch {
	case err != nil:
		refuse(w, http.StatusForbidden, "InvalidToken", "the token cannot be read")
	case s.now().Unix() >= c.ExpiresAt:
		refuse(w, http.StatusForbidden, "TokenExpired", "the token has expired")
	default:
		answer(w, http.StatusOK, map[string]any{"login": c.Login, "token": s.token(c.Login, s.now().Add(tokenFor))})
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]string{"error": code, "message": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		_, _ = fmt.Fprintln(w) // the caller has gone
	}
}
