package customer

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// DefaultRegion is where numbers without a country's code are from when the
// configuration does not say.
const DefaultRegion = "FR"

// Number gives a number as people, phones and files write it in E.164, taking one
// without a country's code for one of the region ("FR"). It gives "" for what is
// no public number: an extension, a withheld caller, words.
func Number(raw, region string) Phone {
	raw = strings.TrimSpace(raw)
	if s, ok := strings.CutPrefix(strings.ToLower(raw), "tel:"); ok {
		raw = s
	}
	if len(raw) > 60 || strings.ContainsFunc(raw, isLetter) {
		return ""
	}
	n, err := phonenumbers.Parse(raw, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// isLetter tells letters, which the library would dial as keys.
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x24f }

// knownRegion tells whether there are numbers of the region.
func knownRegion(region string) bool { return phonenumbers.GetCountryCodeForRegion(region) != 0 }

// digits are the digits of s.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
