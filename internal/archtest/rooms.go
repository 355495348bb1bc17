package archtest

// House is the table of docs/ARCHITECTURE.md. Change it in the same commit as
// the reason.
func House() Rules {
	const (
		gin        = "github.com/gin-gonic/gin"
		pion       = "github.com/pion"
		prometheus = "github.com/prometheus"
		sql        = "database/sql"
		sqlite     = "modernc.org/sqlite"
		pgx        = "github.com/jackc/pgx"
	)
	vendors := []string{"connectors/*", "thirdparty", "emulate/*"}
	vendorNever := []string{"store", "api", "web", "media", "media/*"}
	vendorPlus := func(more ...string) []string { return append(more, vendors...) }

	return Rules{
		Module: "ringdown",
		Skip:   []string{"x"},
		Rooms: []Room{
			{Path: "fault", Floor: 0, Only: []string{}},
			{Path: "secret", Floor: 0, Only: []string{}},

			{Path: "meeting", Floor: 1, NeverPackages: []string{"net/http", sql, sqlite, pgx, pion, gin, prometheus}},
			{Path: "catalog", Floor: 1, NeverPackages: []string{sql, gin, pion}},
			{Path: "customer", Floor: 1, NeverPackages: []string{sql, gin, pion}},
			{
				Path: "media", Floor: 1, NeverPackages: []string{sql, gin, prometheus},
				SeenBy: []string{"media/*", "media/signal/*", "app", "config"},
			},

			{Path: "httpd", Floor: 2, Never: vendorPlus("meeting", "catalog", "customer", "media"), NeverPackages: []string{sql, pion}},
			{Path: "egress", Floor: 2, Never: vendorPlus("meeting", "media"), NeverPackages: []string{sql, gin}},
			{Path: "schemas", Floor: 2, Never: vendors, NeverPackages: []string{sql, gin}},
			// access is an httpd.Authorizer, whose words (Who, Principal) are httpd's.
			{Path: "access", Floor: 2, Beside: []string{"httpd"}, NeverPackages: []string{sql, sqlite, pgx, gin}},
			{Path: "blob", Floor: 2, Never: []string{"meeting"}, NeverPackages: []string{sql, gin}},
			{Path: "media/*", Floor: 2, Never: []string{"meeting"}, NeverPackages: []string{sql, gin}},
			{Path: "media/signal/signaltest", Floor: 2, Never: []string{"meeting"}, NeverPackages: []string{sql, gin}},

			{Path: "outbox", Floor: 3, Never: vendors, NeverPackages: []string{sql, sqlite, pgx, gin}},

			{Path: "connectors", Floor: 4, Never: []string{"store", "media", "media/*"}, NeverPackages: []string{sql}},
			{Path: "automation", Floor: 4, Never: vendors, NeverPackages: []string{sql, gin}},

			{
				Path: "store", Floor: 5, Never: vendorPlus("httpd", "egress", "media", "media/*"),
				NeverPackages: []string{"net/http", pion, gin},
			},
			{Path: "store/storetest", Floor: 5},

			{Path: "connectors/*", Floor: 6, Never: vendorNever},
			{Path: "connectors/connectortest", Floor: 6, Never: vendorNever},
			{Path: "thirdparty", Floor: 6, Never: vendorNever},
			{Path: "emulate/*", Floor: 6, Only: []string{"fault", "httpd", "schemas"}},
			{Path: "api", Floor: 6, Never: []string{"store", "media", "media/*"}},
			// web hands its files over as httpd routes and knows nothing else.
			{Path: "web", Floor: 6, Only: []string{"fault", "httpd"}},

			{Path: "config", Floor: 7, SeenBy: []string{"app", "cmd/ringdown"}},
			{Path: "app", Floor: 7},
			{Path: "cmd/ringdown", Floor: 8},

			{Path: "internal/archtest", Floor: 0, Only: []string{}},
			// A bad network for tests, and its command for tests in other languages:
			// it carries packets and knows nothing of ours.
			{Path: "internal/impair", Floor: 0, Only: []string{}, SeenBy: []string{"internal/impair/cmd"}},
			{Path: "internal/impair/cmd", Floor: 1, Only: []string{"internal/impair"}},
			// What tests leave behind; only tests see it, and they check in no other way.
			{Path: "internal/leak", Floor: 0, Only: []string{}, SeenBy: []string{}},
			// A receiver that misbehaves: tests post to it, product code never sees it.
			{Path: "internal/hostile", Floor: 0, Only: []string{}, SeenBy: []string{"internal/*", "e2e"}},
			// A child process to kill; only tests see it, and say what the child is.
			{Path: "internal/crash", Floor: 0, Only: []string{}, SeenBy: []string{}},
			// What is promised, and the judge of its figures.
			{Path: "internal/promise", Floor: 0, Only: []string{}, SeenBy: []string{"internal/promise/cmd"}},
			{Path: "internal/promise/cmd", Floor: 1, Only: []string{"internal/promise"}},
			{Path: "e2e", Floor: 9},
		},
		Owners: []Owner{
			{Package: "github.com/rs/cors", Rooms: []string{"httpd"}},
			{Package: "github.com/hashicorp/go-retryablehttp", Rooms: []string{"egress"}},
			{Package: "github.com/xeipuuv/gojsonschema", Rooms: []string{"schemas"}},
			{Package: sqlite, Rooms: []string{"store", "store/*"}},
			{Package: pgx, Rooms: []string{"store", "store/*"}},
			{Package: "github.com/pressly/goose", Rooms: []string{"store", "store/*"}},
			{Package: pion, Rooms: []string{"media", "media/*", "media/signal/*"}},
			{Package: "github.com/getkin/kin-openapi"},
			{Package: "github.com/invopop/jsonschema", Generators: true},
			{Package: "github.com/wneessen/go-mail", Rooms: []string{"connectors/mail"}},
			{Package: "github.com/nyaruka/phonenumbers", Rooms: []string{"customer"}},
			{Package: "go.uber.org/goleak", Rooms: []string{"internal/leak"}},
		},
	}
}
