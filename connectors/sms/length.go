package sms

import "strings"

// gsm are the characters that an SMS takes as 7 bits (3GPP TS 23.038), extended
// those that count twice.
const (
	gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	extended = "\f^{}\\[~]|€"
)

// Length tells how many units a text takes and in how many parts it is sent.
// A text of GSM's own characters has 160 units in one part and 153 in each of
// several; any other character makes it 70 and 67.
func Length(text string) (units, parts int, unicode bool) {
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsm, r):
			units++
		case strings.ContainsRune(extended, r):
			units += 2
		default:
			unicode = true
		}
	}
	one, more := 160, 153
	if unicode {
		one, more, units = 70, 67, 0
		for _, r := range text {
			units++
			if r > 0xffff {
				units++
			}
		}
	}
	switch {
	case units == 0:
		return 0, 0, unicode
	case units <= one:
		return units, 1, unicode
	}
	return units, (units + more - 1) / more, unicode
}
