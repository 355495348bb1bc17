package app

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringdown/config"
	"ringdown/connectors"
	"ringdown/connectors/mail"
	"ringdown/connectors/sms"
	"ringdown/connectors/webhook"
	"ringdown/connectors/xcally"
	"ringdown/customer"
	desk "ringdown/emulate/xcally"
	phones "ringdown/emulate/xucmgt"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/secret"
	"ringdown/thirdparty"
	"ringdown/web"
)

// vendors is the list of connectors. A section that is absent is not mounted.
func (a *App) vendors(d connectors.Deps) ([]connectors.Connector, error) {
	var made []connectors.Connector
	add := func(name string, f connectors.Factory) error {
		own := d
		own.Log = d.Log.With("connector", name)
		c, err := f(own)
		if err != nil {
			return fmt.Errorf("connectors.%s: %w", name, err)
		}
		made = append(made, c)
		return nil
	}
	if c := a.cfg.Connectors.XCALLY; c != nil {
		if err := add("xcally", func(d connectors.Deps) (connectors.Connector, error) { return xcally.New(*c, d) }); err != nil {
			return nil, err
		}
	}
	if c := a.cfg.Connectors.Webhook; c != nil {
		if err := add("webhook", func(d connectors.Deps) (connectors.Connector, error) { return webhook.New(*c, d) }); err != nil {
			return nil, err
		}
	}
	if c := a.cfg.Connectors.Thirdparty; c != nil {
		if err := add(thirdparty.Name, func(d connectors.Deps) (connectors.Connector, error) { return thirdparty.New(*c, d) }); err != nil {
			return nil, err
		}
	}
	if c := a.cfg.Connectors.SMS; c != nil {
		if err := add(sms.Name, func(d connectors.Deps) (connectors.Connector, error) { return sms.New(*c, d) }); err != nil {
			return nil, err
		}
	}
	if c := a.cfg.Connectors.Mail; c != nil {
		if err := add(mail.Name, func(d connectors.Deps) (connectors.Connector, error) { return mail.New(*c, d) }); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// channels are those that links can be sent by.
func (a *App) channels() []string {
	var all []string
	if a.cfg.Connectors.SMS != nil {
		all = append(all, meeting.SMS)
	}
	if a.cfg.Connectors.Mail != nil {
		all = append(all, meeting.Mail)
	}
	return all
}

// demoReply is the secret of the demo's Reply URL: both ends are in this
// process and listen on loopback.
const demoReply = "demo-reply-secret-of-this-machine"

// openDesk opens the emulated desk of the demo, joins it to the demo's queue and
// tells the demo's site where its shop is.
func (a *App) openDesk(ctx context.Context, public string) (inbox string, err error) {
	account := desk.Account{ID: 1, Name: "Maison Vela", MapKey: "phone", ReplyURL: public + "/xcally/" + config.DemoAccount + "/reply/" + demoReply}
	open := func(listen string) (*desk.Server, error) {
		s, err := desk.New(desk.Config{Listen: listen, Accounts: []desk.Account{account}}, a.log.With("part", "emulate/xcally"))
		if err != nil {
			return nil, err
		}
		return s, s.Listen(ctx)
	}
	const any = "127.0.0.1:0"
	listen := "127.0.0.1:8081" // an address one can remember
	if strings.HasSuffix(a.cfg.Listen, ":0") {
		listen = any
	}
	s, err := open(listen)
	if err != nil && listen != any { // taken: by another demo, perhaps
		s, err = open(any)
	}
	if err != nil {
		return "", err
	}
	a.cfg.Connectors.XCALLY = &xcally.Config{Accounts: []xcally.Account{{
		Name: config.DemoAccount, ReceiveURL: secret.Secret(s.ReceiveURL(1)), ReplySecret: demoReply, MapKey: "phone",
	}}}
	a.parts = append(a.parts, part{"emulate/xcally", s.Run})
	for _, host := range httpd.LocalHosts(public) {
		origin := strings.Replace(public, "://"+hostOf(public), "://"+bracketed(host), 1)
		if site := &a.cfg.Sites[0]; !slices.Contains(site.Origins, origin) {
			site.Origins = append(site.Origins, origin)
			site.Redirects = append(site.Redirects, origin+"/demo/")
		}
	}
	return s.URL() + "/", nil
}

// demoPhones is the secret of the demo's phones: both ends are in this process
// and listen on loopback.
const demoPhones = "demo-secret-of-the-phones"

// demoCustomers are people that nobody will ever call: their numbers are kept for
// fiction.
const demoCustomers = `id,name,company,email,phone,language,customer since,last order
V-1001,Anna Ferri,Studio Ferri,anna.ferri@example.org,+33 1 99 00 12 34,it,2021,Onda pendant lamp
V-1002,Marc Lambert,,marc.lambert@example.org,+33 1 99 00 45 67,fr,2019,Two Riva chairs
V-1003,Grace Okafor,Okafor Interiors,grace@example.org,+33 6 39 98 12 34,en,2024,Sample box
V-1004,Paolo Greco,,paolo.greco@example.org,+33 6 39 98 45 67,it,2023,
V-1005,Louise Petit,Hôtel des Arts,louise@example.org,+33 4 65 71 12 34,fr,2018,Twelve Onda lamps
`

// openPhones opens the emulated agent app of the demo, and a file of people who
// call.
func (a *App) openPhones(ctx context.Context, public string) (string, error) {
	listen := "127.0.0.1:8082"
	if strings.HasSuffix(a.cfg.Listen, ":0") {
		listen = "127.0.0.1:0"
	}
	path := "/thirdparty/xucmgt/" + demoPhones
	open := func(listen string) (*phones.Server, error) {
		s, err := phones.New(phones.Config{Listen: listen, URL: public + path}, a.log.With("part", "emulate/xucmgt"))
		if err != nil {
			return nil, err
		}
		return s, s.Listen(ctx)
	}
	s, err := open(listen)
	if err != nil && listen != "127.0.0.1:0" { // taken: by another demo, perhaps
		s, err = open("127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	a.parts = append(a.parts, part{"emulate/xucmgt", s.Run})
	a.cfg.Connectors.Thirdparty = &thirdparty.Config{
		Secret: demoPhones, Origins: []string{s.URL()}, Networks: nil,
		Outcomes: []thirdparty.Outcome{
			{Name: "sold", Label: map[string]string{"en": "Sold", "fr": "Vendu", "it": "Venduto"}},
			{Name: "answered", Label: map[string]string{"en": "Question answered", "fr": "Question traitée", "it": "Domanda risolta"}},
			{Name: "follow-up", Label: map[string]string{"en": "To follow up", "fr": "À suivre", "it": "Da seguire"}},
		},
	}
	file := filepath.Join(a.cfg.DataDir, "customers.csv")
	if err := os.WriteFile(file, []byte(demoCustomers), 0o600); err != nil {
		return "", fmt.Errorf("data_dir: %w", err)
	}
	a.cfg.Customers = customer.Config{Region: "FR", Sources: []customer.SourceConfig{{
		Name: "demo", File: &customer.FileConfig{Path: file},
		Fields: customer.Fields{
			ExternalID: "id", Name: "name", Company: "company", Email: "email", Phones: "phone", Language: "language",
			Extra: map[string]string{"Customer since": "customer since", "Last order": "last order"},
		},
	}}}
	return s.URL() + "/", nil
}

// hostOf is the host of an address as it is written there, without the port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return bracketed(u.Hostname())
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// pages wires the pages.
func (a *App) pages(meetings *meeting.Service) (*web.Pages, error) {
	c := web.Config{PublicURL: a.facts.URL}
	if a.cfg.Demo {
		state := web.Demo{Version: a.facts.Version, Shop: a.facts.URL + "/demo/shop", Inbox: a.facts.Inbox, Phones: a.facts.Phones, Pages: a.facts.URL}
		for _, ap := range a.hub.Addresses() {
			state.Media = append(state.Media, web.Address{Address: ap.String(), Protocol: "udp, tcp", Reach: reachOf(ap.Addr())})
		}
		c.Demo = func() web.Demo { return state }
	}
	if t := a.cfg.Connectors.Thirdparty; t != nil {
		c.Desk = &web.Desk{Open: thirdparty.OpenPath, Sheet: thirdparty.SheetPath, Test: thirdparty.TestPath, Origins: t.Origins}
	}
	return web.New(c, framesOf{meetings})
}

func reachOf(ip netip.Addr) web.Reach {
	switch ip = ip.Unmap(); {
	case ip.IsLoopback():
		return web.ReachMachine
	case ip.IsPrivate(), ip.IsLinkLocalUnicast():
		return web.ReachNetwork
	}
	return web.ReachInternet
}

// framesOf tells pages which origins may frame a visitor's page.
type framesOf struct{ meetings *meeting.Service }

// FrameAncestors implements web.Frames.
func (f framesOf) FrameAncestors(ctx context.Context, code string) []string {
	if strings.HasPrefix(code, "inv_") { // a further guest comes by mail or message, not from the site
		return nil
	}
	m, err := f.meetings.ByCode(ctx, meeting.Code(code))
	if err != nil {
		return nil
	}
	s, _ := f.meetings.Policy().Site(m.Site)
	return slices.DeleteFunc(slices.Clone(s.Origins), func(o string) bool { return strings.Contains(o, "[") }) // CSP knows no IPv6
}
