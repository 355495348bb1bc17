package blob

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"ringdown/fault"
)

const (
	mostPixels   = 40_000_000  // of a picture that is opened
	mostSide     = 30_000      // pixels
	mostMemory   = 200_000_000 // bytes that decoding may need
	mostScans    = 100         // of a JPEG; each costs as much as a whole picture
	keptPixels   = 12_000_000  // more is scaled down
	quality      = 88          // of a JPEG as kept
	quickPNG     = 3_000_000   // pixels from which a PNG is packed less tightly, but soon
	formatJPEG   = "image/jpeg"
	formatPNG    = "image/png"
	formatGIF    = "image/gif"
	formatWebP   = "image/webp"
	riffHeader   = 12
	bytesOfBlock = 64 * 4 // of a progressive JPEG's coefficients
)

func pictureKind(b []byte) (kind, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return kind{mime: formatJPEG}, true
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return kind{mime: formatPNG}, true
	case bytes.HasPrefix(b, []byte("GIF87a")), bytes.HasPrefix(b, []byte("GIF89a")):
		return kind{mime: formatGIF}, true
	case len(b) > riffHeader && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return kind{mime: formatWebP}, true
	}
	return kind{}, false
}

var errBroken = errors.New("not a whole picture")

func broken() *fault.Error {
	return refuse("broken", "the picture cannot be read; save it again as JPEG or PNG and send that")
}

func tooManyPixels() *fault.Error {
	return refuse("pixels", "the picture is too large to be opened safely; send it smaller, with at most 40 megapixels")
}

// redraw decodes a picture and encodes its pixels anew, upright and with no more
// of them than are kept. What else was in the file is gone: places, names,
// comments, profiles, whatever was hidden. The size is judged before anything
// is decoded.
func redraw(b []byte, format string) (Clean, error) {
	turned := 1
	var size image.Config
	var err error
	var need int64 // bytes
	switch format {
	case formatJPEG:
		var head jpegHead
		if head, err = readJPEG(b); err == nil {
			size, err = jpeg.DecodeConfig(bytes.NewReader(b))
			turned, need = head.orientation, head.memory
		}
	case formatPNG:
		size, err = png.DecodeConfig(bytes.NewReader(b))
		need = int64(size.Width) * int64(size.Height) * bytesPerPixel(size.ColorModel)
	case formatGIF:
		size, err = gif.DecodeConfig(bytes.NewReader(b))
		need = int64(size.Width) * int64(size.Height)
	case formatWebP:
		size, err = webp.DecodeConfig(bytes.NewReader(b))
		turned, need = webpOrientation(b), 4*int64(size.Width)*int64(size.Height)
	}
	switch {
	case errors.Is(err, errScans):
		return Clean{}, tooManyPixels().Because(err)
	case err != nil, size.Width < 1, size.Height < 1:
		return Clean{}, broken().Because(err)
	case size.Width > mostSide, size.Height > mostSide, size.Width*size.Height > mostPixels, need > mostMemory:
		return Clean{}, tooManyPixels()
	}
	decode := map[string]func(io.Reader) (image.Image, error){
		formatJPEG: jpeg.Decode, formatPNG: png.Decode, formatGIF: gif.Decode, formatWebP: webp.Decode,
	}[format]
	img, err := decode(bytes.NewReader(b))
	if err != nil {
		return Clean{}, broken().Because(err)
	}
	if img.Bounds().Empty() || img.Bounds().Dx() > size.Width || img.Bounds().Dy() > size.Height {
		return Clean{}, broken().Because(errBroken)
	}
	img = turn(fit(img), turned)
	out := Clean{Width: img.Bounds().Dx(), Height: img.Bounds().Dy()}
	if format == formatJPEG || format == formatWebP && opaque(img) {
		return out, out.encodeJPEG(img)
	}
	if err = out.encodePNG(img); !errors.Is(err, errFull) {
		return out, err
	}
	return out, out.encodeJPEG(onWhite(img)) // a photograph, most likely
}

func bytesPerPixel(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	return 4
}

func (c *Clean) encodePNG(img image.Image) error {
	e := png.Encoder{}
	if c.Width*c.Height > quickPNG {
		e.CompressionLevel = png.BestSpeed
	}
	var out limited
	if err := e.Encode(&out, img); err != nil {
		return err
	}
	c.Bytes, c.kind = out.b, kind{formatPNG, []string{".png"}}
	return nil
}

func (c *Clean) encodeJPEG(img image.Image) error {
	var out limited
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
		if errors.Is(err, errFull) {
			return tooManyPixels()
		}
		return err
	}
	c.Bytes, c.kind = out.b, kind{formatJPEG, []string{".jpg", ".jpeg"}}
	return nil
}

var errFull = errors.New("more than a file may have")

// limited is a buffer that ends at LimitBytes.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > LimitBytes {
		return 0, errFull
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// opaque tells whether nothing shines through img.
func opaque(img image.Image) bool {
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// fit scales img down to the pixels that are kept.
func fit(img image.Image) image.Image {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if w*h <= keptPixels {
		return img
	}
	by := math.Sqrt(float64(keptPixels) / float64(w*h))
	small := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(w)*by)), max(1, int(float64(h)*by))))
	// The better scalers need 32 bytes for every pixel on their way; between 40
	// and 12 megapixels nobody sees the difference.
	draw.ApproxBiLinear.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
	return small
}

func onWhite(img image.Image) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Over)
	return out
}

// turn sets img upright: orientation is that of EXIF, 1 to 8.
func turn(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	src := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(src, src.Bounds(), img, img.Bounds().Min, draw.Src)
	size := src.Bounds()
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			sx, sy := x, y
			if orientation >= 5 { // rows become columns
				sx, sy = y, x
			}
			switch orientation {
			case 2, 8: // mirrored; a quarter to the left
				sx = w - 1 - sx
			case 3, 7: // upside down; across
				sx, sy = w-1-sx, h-1-sy
			case 4, 6: // mirrored upside down; a quarter to the right
				sy = h - 1 - sy
			}
			copy(out.Pix[y*out.Stride+4*x:][:4], src.Pix[sy*src.Stride+4*sx:][:4])
		}
	}
	return out
}
