package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
)

type keyCmd struct {
	List   keyList   `cmd:"" help:"API keys, newest first."`
	Create keyCreate `cmd:"" help:"Make an API key and print it, once."`
	Revoke keyRevoke `cmd:"" help:"Make an API key useless, at once."`
}

type keyList struct{ remote }

// Help gives the example.
func (keyList) Help() string { return "Example:\n  ringdown key list" }

// Run prints the table.
func (k *keyList) Run(c *console) error {
	b, err := k.call(c, http.MethodGet, "/v1/keys", nil)
	if err != nil {
		return err
	}
	if k.JSON {
		return c.raw(b)
	}
	var page struct {
		Keys []struct {
			ID, Name, Role string
			CreatedAt      time.Time `json:"created_at"`
			LastUsed       time.Time `json:"last_used_at"`
			RevokedAt      time.Time `json:"revoked_at"`
		}
	}
	if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	day := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format(time.DateTime)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tMADE\tLAST USED\tREVOKED\tID")
	for _, k := range page.Keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, k.Role, day(k.CreatedAt), day(k.LastUsed), day(k.RevokedAt), k.ID)
	}
	return w.Flush()
}

type keyCreate struct {
	remote
	Name string `arg:"" help:"Who or what will use it."`
	Role string `enum:"admin,integrator" default:"integrator" help:"admin may do everything; integrator may not manage keys."`
}

// Help gives the example.
func (keyCreate) Help() string { return "Example:\n  ringdown key create \"Shop server\" > shop.key" }

// Run makes it. The key alone goes to standard output.
func (k *keyCreate) Run(c *console) error {
	b, err := k.call(c, http.MethodPost, "/v1/keys", map[string]string{"name": k.Name, "role": k.Role})
	if err != nil {
		return err
	}
	if k.JSON {
		return c.raw(b)
	}
	var made struct{ ID, Key string }
	if err := json.Unmarshal(b, &made); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s: this is the only time the key is shown\n", made.ID)
	_, err = fmt.Fprintln(c.out, made.Key)
	return err
}

type keyRevoke struct {
	remote
	ID string `arg:"" help:"The key's id (key_…), as in the list."`
}

// Help gives the example.
func (keyRevoke) Help() string { return "Example:\n  ringdown key revoke key_01J9ZQ" }

// Run revokes it.
func (k *keyRevoke) Run(c *console) error {
	if _, err := k.call(c, http.MethodDelete, "/v1/keys/"+url.PathEscape(k.ID), nil); err != nil {
		return err
	}
	if k.JSON {
		return c.print(map[string]any{"id": k.ID, "revoked": true})
	}
	_, err := fmt.Fprintln(c.out, k.ID, "is revoked")
	return err
}
