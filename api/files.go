package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"ringdown/blob"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// Files takes in, keeps and gives back the bytes of files; blob.Intake does.
type Files interface {
	// Take reads r, cleans it and keeps it under k. Errors are faults, or those of
	// r and ctx as they are; then nothing is kept.
	Take(ctx context.Context, k blob.Key, given string, r io.Reader) (blob.Kept, error)
	Get(ctx context.Context, k blob.Key) (io.ReadSeekCloser, error)
	Delete(ctx context.Context, k blob.Key) error
}

const (
	fileBody      = blob.LimitBytes + 64<<10 // so that the answer to more is ours
	uploadTime    = 2 * time.Minute          // for the bytes to arrive
	cleanTime     = time.Minute              // to be looked at, in turn, and stored
	downloadTime  = 5 * time.Minute
	uploadSeats   = 32 // at one time, of all people
	uploadsOfOne  = 2  // at one time, of one person
	uploadsFrom   = 8  // at one time, from one address
	uploadRefused = "too many files are being sent at the moment; try again in a few seconds"
)

// seats bounds uploads at one time: in all, by person and by address. The zero
// value is ready.
type seats struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by person, and by address
}

// take gives a seat; leave gives it back.
func (s *seats) take(who, address string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= uploadSeats || s.of[who] >= uploadsOfOne || s.of[address] >= uploadsFrom {
		return nil, false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.add(who, address, 1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(who, address, -1)
	}, true
}

// add counts; mu is held.
func (s *seats) add(who, address string, n int) {
	s.all += n
	for _, key := range []string{who, address} {
		if s.of[key] += n; s.of[key] == 0 {
			delete(s.of, key)
		}
	}
}

func (a *API) postFile(c *gin.Context) error {
	if err := knownQuery(c, "name"); err != nil {
		return err
	}
	given := c.Query("name")
	if utf8.RuneCountInString(given) > meeting.FileNameLimit {
		return fault.NewInvalid("query:name", "must be at most %d characters", meeting.FileNameLimit)
	}
	key, err := keyHeader(c)
	if err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	id, err := inside(m, p)
	if err != nil {
		return err
	}
	if m.State == meeting.Planned {
		return fault.New(fault.Conflict, "nobody is called yet; send the file when the call has begun")
	}
	size := max(0, c.Request.ContentLength)
	if size > blob.LimitBytes {
		return fault.New(fault.TooLarge, "the file is too large; a file may have at most 25 MB")
	}
	if err := m.TakesFile(size); err != nil { // once more when it is posted
		return err
	}
	leave, ok := a.uploads.take(string(m.ID)+string(id), httpd.AddressKey(c.ClientIP()))
	if !ok {
		return fault.New(fault.TooMany, uploadRefused).With(httpd.RetryAfter, "5")
	}
	defer leave()
	if err := deadlines(c, uploadTime, uploadTime+cleanTime+10*time.Second); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(c.Request.Context(), uploadTime+cleanTime,
		fault.New(fault.Unavailable, "there is too much to do right now; send the file again in a minute"))
	defer cancel()

	file := meeting.NewFileID()
	where := blob.Key{Group: string(m.ID), ID: string(file)}
	sum := sha256.New() // another file under the same key must not pass for the first
	kept, err := a.cfg.Files.Take(ctx, where, meeting.FileName(given), io.TeeReader(c.Request.Body, sum))
	if err != nil {
		return unreceived(err)
	}
	msg := from(m, id, key)
	msg.File = &meeting.File{ID: file, Name: kept.Name, Type: kept.Type, Size: kept.Size, Width: kept.Width, Height: kept.Height, Sum: hex.EncodeToString(sum.Sum(nil))}
	said, err := a.meetings.Post(ctx, m.ID, msg)
	// Bytes that surely belong to no message go at once. If it is not sure, the
	// sweep decides.
	if known := fault.Of(err); err == nil && said.File.ID != file || err != nil && known.Code != fault.Unavailable && known.Code != fault.Internal {
		if err := a.cfg.Files.Delete(ctx, where); err != nil {
			a.log.WarnContext(ctx, "bytes without a message were not removed", "meeting", m.ID, "err", err)
		}
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, message(said, id))
	return nil
}

// deadlines gives this request longer than the server gives others.
func deadlines(c *gin.Context, read, write time.Duration) error {
	rc, now := http.NewResponseController(c.Writer), time.Now()
	if err := errors.Join(rc.SetReadDeadline(now.Add(read)), rc.SetWriteDeadline(now.Add(write))); err != nil {
		return fmt.Errorf("deadlines: %w", err)
	}
	return nil
}

// unreceived is the fault for bytes that did not come to their end.
func unreceived(err error) error {
	if _, told := errors.AsType[*fault.Error](err); told || errors.Is(err, blob.ErrKey) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.New(fault.BadRequest, "the file did not arrive within %d minutes; send it over a faster connection, or make it smaller", int(uploadTime.Minutes())).Because(err)
	}
	return fault.New(fault.BadRequest, "the file could not be read to its end; send it again").Because(err)
}

var (
	fileRE   = regexp.MustCompile(`^fil_[0-9A-Z]{26}$`)
	endingRE = regexp.MustCompile(`\.[0-9A-Za-z]{1,8}$`)
)

// getFile gives the bytes as a download, never as a page: a browser that opens
// them all the same is told to run nothing.
func (a *API) getFile(c *gin.Context) error {
	if err := knownQuery(c); err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	id := c.Param("file")
	if !fileRE.MatchString(id) {
		return fault.NewInvalid("path:file", "must be a file's id (\"fil_…\")")
	}
	if p.Kind == httpd.KindSession {
		if _, err := inside(m, p); err != nil {
			return err
		}
	}
	ctx := c.Request.Context()
	f, err := a.meetings.File(ctx, m.ID, meeting.FileID(id))
	if err != nil {
		return err
	}
	bytes, err := a.cfg.Files.Get(ctx, blob.Key{Group: string(m.ID), ID: id})
	if err != nil {
		return err
	}
	defer bytes.Close()
	if err := deadlines(c, downloadTime, downloadTime); err != nil {
		return err
	}
	c.Header("Content-Type", f.Type)
	c.Header("Content-Disposition", attachment(f.Name))
	c.Header("ETag", `"`+id+`"`) // the bytes of an id never change
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes)
	return nil
}

// attachment is a Content-Disposition (RFC 6266) with the name in UTF-8, and
// "file" for those who cannot read it.
func attachment(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return `attachment; filename="file` + endingRE.FindString(name) + `"; filename*=UTF-8''` + b.String()
}
