package thirdparty

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"ringdown/customer"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

const (
	contactsShown = 10
	foundShown    = 8
	folderKey     = "FOLDER" // the variable of a CTI sheet's number that is no phone number
)

// recordOf finds the caller's record: the one the agent chose, else by number,
// else by the number of a folder.
func (p *pane) recordOf(ctx context.Context, call meeting.PhoneCall) (customer.Record, error) {
	switch {
	case call.Customer != "":
		return p.Customers.ByID(ctx, call.Customer)
	case call.Number != "":
		return p.Customers.ByPhone(ctx, call.Number)
	case call.Data[folderKey] != "":
		return p.Customers.ByExternalID(ctx, call.Data[folderKey])
	}
	return customer.Record{}, fault.New(fault.NotFound, "the caller's number is not known")
}

// customer tells who is calling and what was said before. It may take as long as
// the source takes: the page shows the rest meanwhile.
func (p *pane) customer(c *gin.Context) error {
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	out := gin.H{"state": "found", "contacts": []customer.Contact{}}
	r, err := p.recordOf(ctx, call)
	switch {
	case err == nil:
		out["customer"] = r
	case fault.Is(err, fault.NotFound):
		out["state"] = "none"
		if !p.Customers.Configured() {
			out["state"] = "off"
		}
	default:
		p.Log.WarnContext(ctx, "a customer cannot be looked up", "err", err)
		out["state"] = "down"
	}
	if call.Number != "" || r.ID != "" {
		contacts, err := p.Customers.Contacts(ctx, call.Number, r.ID, contactsShown+1)
		if err != nil {
			return err
		}
		others := make([]customer.Contact, 0, len(contacts))
		for _, one := range contacts {
			if one.ID != string(call.ID) && len(others) < contactsShown {
				others = append(others, one)
			}
		}
		out["contacts"] = others
	}
	c.JSON(http.StatusOK, out)
	return nil
}

// search finds records by words.
func (p *pane) search(c *gin.Context) error {
	if _, err := p.proved(c); err != nil {
		return err
	}
	words := strings.TrimSpace(c.Query("q"))
	if n := utf8.RuneCountInString(words); n < 2 || n > 100 {
		return fault.NewInvalid("query:q", "must have 2 to 100 characters")
	}
	found, err := p.Customers.Search(c.Request.Context(), words, foundShown)
	if err != nil {
		return err
	}
	if found == nil {
		found = []customer.Record{}
	}
	c.JSON(http.StatusOK, gin.H{"customers": found})
	return nil
}

// createCustomer makes a record and takes it for this call.
func (p *pane) createCustomer(c *gin.Context) error {
	var in struct {
		Name    string `json:"name"`
		Company string `json:"company"`
		Email   string `json:"email"`
		Phone   string `json:"phone"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	r := customer.Record{Name: strings.TrimSpace(in.Name), Company: strings.TrimSpace(in.Company), Email: strings.TrimSpace(in.Email)}
	var checks httpd.Checks
	checks.Unless(r.Name != "" && utf8.RuneCountInString(r.Name) <= 120, "/name", "must be 1 to 120 characters")
	checks.Unless(utf8.RuneCountInString(r.Company) <= 120, "/company", "must be at most 120 characters")
	checks.Unless(r.Email == "" || len(r.Email) <= 254 && strings.Count(r.Email, "@") == 1, "/email", "must be a mail address")
	if in.Phone != "" {
		n := p.Customers.Number(in.Phone)
		checks.Unless(n != "", "/phone", "must be a phone number, with its country's code if it is abroad")
		r.Phones = []customer.Phone{n}
	}
	if err := checks.Err(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if r, err = p.Customers.Create(ctx, r); err != nil {
		return err
	}
	call, err = p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, _ time.Time) (meeting.PhoneCall, error) {
		call.Customer = r.ID
		return call, nil
	})
	if err != nil {
		return err
	}
	if err := p.record(ctx, call); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, r)
	return nil
}
