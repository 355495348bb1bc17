package thirdparty

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
)

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
	ring.User.UserID, ring.User.FullName, ring.User.Token = "login:"+user, user, in.Token
	if ring.Number == "" {
		ring.Data[folderKey] = folder
	}
	p := c.phoneCall(ring, rule{Rule: Rule{Name: "sheet", Action: actionPopup}, event: eventRinging}, false, now)
	p.ID = c.again(ring, now)
	var job func()
	p.Trust, job = c.judge(p.ID, ring, in.Secret, g.ClientIP(), now)
	p = c.Phones.Ring(p)
	if job != nil {
		job()
	}
	g.JSON(http.StatusOK, gin.H{"url": c.Links.Phone(OpenPath, p.ID)})
	return nil
}
