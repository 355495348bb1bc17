package thirdparty

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
)

// sheetUser stands before a login where the phone's user id is not known.
const sheetUser = "login:"

// sheet makes a phone call of a CTI sheet (contract section 9): the agent app
// opens our page with the sheet's number at its end, and the page asks here. The
// number is the caller's, or that of a folder.
func (c *Connector) sheet(g *gin.Context) error {
	var in struct {
		Folder string `json:"folder"`
		Secret string `json:"secret"`
		Token  string `json:"token"`
		User   string `json:"user"`
	}
	if err := httpd.DecodeJSON(g.Request, &in); err != nil {
		return err
	}
	folder, user := oneLine(in.Folder, words), strings.ToLower(oneLine(in.User, words))
	var checks httpd.Checks
	checks.Unless(folder != "" && folder != "-", "/folder", "must be the sheet's folderNumber")
	if err := checks.Err(); err != nil {
		return err
	}
	if in.Secret != "" && !c.cfg.Secret.Equal(in.Secret) {
		if err := c.wrong.Allow(httpd.AddressKey(g.ClientIP())); err != nil {
			return err
		}
		return fault.New(fault.Forbidden, "the secret in popupUrl is not connectors.thirdparty.secret")
	}
	now := c.Now()
	// The agent is known by the login only; a sheet's calls are not those of the
	// phone's user id.
	ring := call{Caller: folder, Number: c.Customers.Number(folder), Data: map[string]string{}}
	ring.User.UserID, ring.User.FullName, ring.User.Token = sheetUser+user, user, in.Token
	if ring.Number == "" {
		ring.Data[folderKey] = folder
	}
	st := c.judge(ring, in.Secret, g.ClientIP(), now)
	if !st.trust.Trusted() {
		if err := c.crowd.Allow(httpd.AddressKey(g.ClientIP())); err != nil {
			return err
		}
	}
	p := c.phoneCall(ring, rule{Rule: Rule{Name: "sheet", Action: actionPopup}, event: eventRinging}, st, false, now)
	c.remember(p, ring, st)
	g.JSON(http.StatusOK, gin.H{"url": c.Links.Phone(OpenPath, p.ID)})
	return nil
}
