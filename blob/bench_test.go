package blob

import (
	"encoding/binary"
	"image"
	"testing"
)

// BenchmarkClean draws a photograph of a telephone anew, and the largest that is
// taken.
func BenchmarkClean(b *testing.B) {
	for _, size := range []struct {
		name string
		w, h int
	}{{"12 megapixels", 4000, 3000}, {"40 megapixels", 8000, 5000}} {
		photo := jpegOf(b, image.NewYCbCr(image.Rect(0, 0, size.w, size.h), image.YCbCrSubsampleRatio420))
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := CleanBytes(withExif(photo, exif(binary.BigEndian, 6))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
