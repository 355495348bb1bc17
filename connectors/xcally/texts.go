package xcally

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"ringdown/meeting"
)

// texts are our words in one language. The %s of each are named by the fields'
// comments, in order.
type texts struct {
	ring      string    // visitor, about, reference
	remind    string    // visitor, about, reference, round, rounds
	about     string    // topic: what the call is about, after the visitor
	visitor   string    // a visitor who gave no name
	advisor   string    // an agent who gave no name
	answered  string    // agent, reference
	completed string    // reference, length
	missed    string    // reference
	cancelled string    // reference
	withdrawn string    // reference; ended by somebody else than the visitor
	declined  string    // reference
	expired   string    // reference
	failed    string    // reference
	file      string    // file name; for the visitor
	sent      string    // file name, kind, size; for the agents
	kinds     [4]string // picture, sound or film, document, archive
	units     string    // "B kB MB"
	comma     string    // of decimals
}

// textsIn returns the texts of a language; empty is en.
func textsIn(language string) (texts, error) {
	switch language {
	case "", "en":
		return texts{
			ring:      "Video call from %s%s · %s. Open the link to take it:",
			remind:    "%s%s is still waiting for a video call · %s, ring %d of %d. Open the link to take it:",
			about:     " about “%s”",
			visitor:   "a visitor",
			advisor:   "An advisor",
			answered:  "%s took the video call %s.",
			completed: "The video call %s is over. It lasted %s.",
			missed:    "Nobody took the video call %s in time. The visitor is no longer waiting.",
			cancelled: "The visitor gave up the video call %s before an answer.",
			withdrawn: "The video call %s was withdrawn before an answer.",
			declined:  "The video call %s was declined.",
			expired:   "The video call %s has expired.",
			failed:    "The video call %s failed for a technical reason.",
			file:      "The advisor sent a file, “%s”. It cannot be opened here.",
			sent:      "The visitor sent a file in the video call: “%s” (%s, %s). It is in the chat there.",
			kinds:     [4]string{"picture", "sound or video", "document", "archive"},
			units:     "B kB MB",
			comma:     ".",
		}, nil
	case "fr":
		return texts{
			ring:      "Appel vidéo de %s%s · %s. Ouvrez le lien pour répondre :",
			remind:    "%s%s attend toujours un appel vidéo · %s, sonnerie %d sur %d. Ouvrez le lien pour répondre :",
			about:     ", au sujet de « %s »",
			visitor:   "un visiteur",
			advisor:   "Un conseiller",
			answered:  "%s a pris l’appel vidéo %s.",
			completed: "L’appel vidéo %s est terminé. Il a duré %s.",
			missed:    "Personne n’a pris l’appel vidéo %s à temps. Le visiteur n’attend plus.",
			cancelled: "Le visiteur a renoncé à l’appel vidéo %s avant une réponse.",
			withdrawn: "L’appel vidéo %s a été retiré avant une réponse.",
			declined:  "L’appel vidéo %s a été refusé.",
			expired:   "L’appel vidéo %s a expiré.",
			failed:    "L’appel vidéo %s a échoué pour une raison technique.",
			file:      "Le conseiller a envoyé un fichier, « %s ». Il ne peut pas être ouvert ici.",
			sent:      "Le visiteur a envoyé un fichier dans l’appel vidéo : « %s » (%s, %s). Il se trouve dans le chat de l’appel.",
			kinds:     [4]string{"image", "son ou vidéo", "document", "archive"},
			units:     "o ko Mo",
			comma:     ",",
		}, nil
	case "it":
		return texts{
			ring:      "Videochiamata da %s%s · %s. Apra il collegamento per rispondere:",
			remind:    "%s%s attende ancora una videochiamata · %s, squillo %d di %d. Apra il collegamento per rispondere:",
			about:     ", argomento «%s»",
			visitor:   "un visitatore",
			advisor:   "Un consulente",
			answered:  "%s ha preso la videochiamata %s.",
			completed: "La videochiamata %s è terminata. È durata %s.",
			missed:    "Nessuno ha preso in tempo la videochiamata %s. Il visitatore non attende più.",
			cancelled: "Il visitatore ha rinunciato alla videochiamata %s prima di una risposta.",
			withdrawn: "La videochiamata %s è stata ritirata prima di una risposta.",
			declined:  "La videochiamata %s è stata rifiutata.",
			expired:   "La videochiamata %s è scaduta.",
			failed:    "La videochiamata %s non è riuscita per un motivo tecnico.",
			file:      "Il consulente ha inviato un file, «%s». Qui non si può aprire.",
			sent:      "Il visitatore ha inviato un file nella videochiamata: «%s» (%s, %s). Si trova nella chat della chiamata.",
			kinds:     [4]string{"immagine", "audio o video", "documento", "archivio"},
			units:     "B kB MB",
			comma:     ",",
		}, nil
	}
	return texts{}, fmt.Errorf("must be en, fr or it, not %q", language)
}

// ringing is the text of a ring without the link.
func (t texts) ringing(m meeting.Meeting) string {
	who, about := oneLine(m.Visitor.Name), ""
	if who == "" {
		who = t.visitor
	}
	if topic := oneLine(m.Topic); topic != "" {
		about = fmt.Sprintf(t.about, clip(topic, 80))
	}
	who = clip(who, 80)
	if m.Ring.Round > 1 {
		return capital(fmt.Sprintf(t.remind, who, about, m.Reference(), m.Ring.Round, m.Ring.Rounds))
	}
	return fmt.Sprintf(t.ring, who, about, m.Reference())
}

// taken is the line that tells who won.
func (t texts) taken(m meeting.Meeting) string {
	who := t.advisor
	if m.Ring != nil && m.Ring.Winner != nil {
		if name := oneLine(m.Ring.Winner.Name); name != "" {
			who = clip(name, 80)
		}
	}
	return fmt.Sprintf(t.answered, who, m.Reference())
}

// said is what the agents read of a visitor's message: its words, and a line for
// its file, which itself stays in the call. The conversation at the desk is the
// first visitor's, so a further guest is named.
func (t texts) said(m meeting.Meeting, msg meeting.Message) string {
	text := clean(msg.Text)
	if f := msg.File; f != nil {
		line := fmt.Sprintf(t.sent, clip(oneLine(f.Name), nameLimit), t.kindOf(f.Type), t.size(f.Size))
		text = strings.TrimSpace(text + "\n" + line)
	}
	if name := oneLine(msg.Name); text != "" && name != "" && msg.From != m.TheVisitor().ID {
		text = clip(name, nameLimit) + ": " + text
	}
	return text
}

func (t texts) kindOf(mediaType string) string {
	switch general, _, _ := strings.Cut(mediaType, "/"); {
	case general == "image":
		return t.kinds[0]
	case general == "audio" || general == "video":
		return t.kinds[1]
	case mediaType == "application/zip":
		return t.kinds[3]
	}
	return t.kinds[2]
}

// size writes a size as "1.2 MB"; an MB is 1024 kB, as in the limit of 25 MB.
func (t texts) size(bytes int64) string {
	units := strings.Fields(t.units)
	n, unit := float64(bytes), 0
	for n >= 999.5 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	if n >= 10 || unit == 0 {
		return fmt.Sprintf("%.0f %s", n, units[unit])
	}
	return strings.Replace(fmt.Sprintf("%.1f %s", n, units[unit]), ".", t.comma, 1)
}

// ended is the closing line.
func (t texts) ended(m meeting.Meeting) string {
	switch m.Outcome {
	case meeting.Completed:
		return fmt.Sprintf(t.completed, m.Reference(), length(m.Length()))
	case meeting.Missed:
		return fmt.Sprintf(t.missed, m.Reference())
	case meeting.Cancelled:
		if m.EndedBy != meeting.Visitor {
			return fmt.Sprintf(t.withdrawn, m.Reference())
		}
		return fmt.Sprintf(t.cancelled, m.Reference())
	case meeting.Declined:
		return fmt.Sprintf(t.declined, m.Reference())
	case meeting.Expired:
		return fmt.Sprintf(t.expired, m.Reference())
	default:
		return fmt.Sprintf(t.failed, m.Reference())
	}
}

// length writes a duration as "4 min 12 s", which reads the same in all three
// languages.
func length(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}

// capital begins s with a capital letter.
func capital(s string) string {
	for i, r := range s {
		if i == 0 {
			return string(unicode.ToUpper(r)) + s[len(string(r)):]
		}
	}
	return s
}
