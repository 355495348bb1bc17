package xcally

import (
	"fmt"
	"time"
	"unicode"

	"ringdown/meeting"
)

// texts are our words in one language. The %s of each are named by the fields'
// comments, in order.
type texts struct {
	ring      string // visitor, about, reference
	remind    string // visitor, about, reference, round, rounds
	about     string // topic: what the call is about, after the visitor
	visitor   string // a visitor who gave no name
	advisor   string // an agent who gave no name
	answered  string // agent, reference
	completed string // reference, length
	missed    string // reference
	cancelled string // reference
	withdrawn string // reference; ended by somebody else than the visitor
	declined  string // reference
	expired   string // reference
	failed    string // reference
	file      string // file name; for the visitor
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
