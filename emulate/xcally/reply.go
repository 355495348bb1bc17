package xcally

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// sender posts the messages of one account, one after the other.
func (s *Server) sender(ctx context.Context, account Account) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-s.state.lines[account.ID]:
			why := s.post(ctx, account, j)
			if why != "" {
				s.log.WarnContext(ctx, "reply not delivered", "account", account.ID, "message", j.message.ID)
			}
			s.state.settle(j.message, why)
		}
	}
}

// post calls the Reply URL and returns the words Motion shows beside a message
// that failed, or nothing.
func (s *Server) post(ctx context.Context, account Account, j job) string {
	target := s.replyURL(account.ID)
	if target == "" {
		return "Account HTTP Method or URL is not configured"
	}
	body, err := json.Marshal(s.replyBody(account, j))
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReplyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return "the Reply URL is not valid"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "xcally-motion-emulated")
	res, err := s.client.Do(req)
	if err != nil {
		return networkWords(err, req)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, bodyLimit)) // a cut answer still has its status
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return ""
	}
	words := fmt.Sprintf("HTTP %d", res.StatusCode)
	var told struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &told) == nil && told.Message != "" {
		words += ": " + clip(told.Message, 200)
	}
	return words
}

// networkWords names a failed call as a Node program does.
func networkWords(err error, req *http.Request) string {
	host := req.URL.Host
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "getaddrinfo ENOTFOUND " + req.URL.Hostname()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "UNABLE_TO_VERIFY_LEAF_SIGNATURE " + host
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connect ECONNREFUSED " + host
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ECONNRESET " + host
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "ETIMEDOUT " + host
	case errors.Is(err, context.Canceled):
		return "the server stopped before it was sent"
	}
	return "request failed " + host
}

func clip(s string, runes int) string {
	r := []rune(strings.ToValidUTF8(s, "�"))
	if len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return string(r)
}

// replyBody is what the Reply URL gets.
func (s *Server) replyBody(account Account, j job) map[string]any {
	m, i := j.message, j.interaction
	out := map[string]any{"body": m.Body, "AttachmentId": nil}
	if account.Reply == ReplyV1 {
		out["to"] = i.Emulator.From
		return out
	}
	out["Contact"] = i.Contact
	if account.Reply == ReplyBare {
		return out
	}
	id := func(n int) any { return Ref(n) }
	if account.Reply == ReplyStrings {
		id = func(n int) any {
			if n == 0 {
				return nil
			}
			return strconv.Itoa(n)
		}
		out["contact"] = i.Contact
	}
	out["id"] = id(m.ID)
	out["OpenchannelAccountId"] = id(i.AccountID)
	out["OpenchannelInteractionId"] = id(i.ID)
	out["ContactId"] = id(i.ContactID)
	out["UserId"] = id(int(m.UserID))
	out["Interaction"] = map[string]any{
		"id": id(i.ID), "threadId": i.ThreadID, "closed": i.Closed, "UserId": id(int(i.UserID)),
		"OpenchannelAccountId": id(i.AccountID), "ContactId": id(i.ContactID),
	}
	if agent, ok := s.agent(int(m.UserID)); ok {
		out["agent"] = map[string]any{"id": id(agent.ID), "name": agent.Name, "fullname": agent.FullName}
	}
	return out
}

// newReplyClient follows no redirect and asks no proxy: replies go where the
// account says and nowhere else.
func newReplyClient(cfg Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{}).DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 2,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
