package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// jpegHead is what the markers of a JPEG tell before it is decoded.
type jpegHead struct {
	orientation int   // of EXIF; 1: upright, or unknown
	memory      int64 // bytes that decoding needs
}

var errScans = errors.New("more scans than a picture needs")

// readJPEG walks the markers of a JPEG to its end.
func readJPEG(b []byte) (jpegHead, error) {
	head := jpegHead{orientation: 1}
	scans := 0
	for at := 2; at+4 <= len(b); {
		next := bytes.IndexByte(b[at:len(b)-3], 0xff) // what is coded, or what decoders skip too
		if next < 0 {
			break
		}
		at += next
		marker := b[at+1]
		switch {
		case marker == 0xff: // fill bytes come one by one
			at++
			continue
		case marker == 0x00, marker == 0x01, marker >= 0xd0 && marker <= 0xd8: // these stand alone
			at += 2
			continue
		case marker == 0xd9: // the end
			return head, nil
		}
		size := int(b[at+2])<<8 | int(b[at+3])
		if size < 2 || at+2+size > len(b) {
			return head, errBroken
		}
		segment := b[at+4 : at+2+size]
		switch marker {
		case 0xc0, 0xc1, 0xc2:
			head.memory = memoryOf(segment, marker == 0xc2)
		case 0xe1:
			if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && head.orientation == 1 {
				head.orientation = orientationOf(tiff)
			}
		case 0xda:
			if scans++; scans > mostScans {
				return head, errScans
			}
		}
		at += 2 + size
	}
	return head, nil
}

// memoryOf estimates from a frame header (SOF) what decoding needs: the samples,
// and for a progressive picture all its coefficients.
func memoryOf(sof []byte, progressive bool) int64 {
	if len(sof) < 6 || len(sof) < 6+3*int(sof[5]) {
		return 0 // the decoder refuses it
	}
	blocksHigh, blocksWide := int64(sof[1])<<8|int64(sof[2]), int64(sof[3])<<8|int64(sof[4])
	blocksHigh, blocksWide = (blocksHigh+7)/8, (blocksWide+7)/8
	var most, sum int64
	for c := range int(sof[5]) {
		sampling := sof[7+3*c]
		area := int64(sampling>>4) * int64(sampling&15)
		most, sum = max(most, area), sum+area
	}
	if most == 0 {
		return 0
	}
	blocks := blocksHigh * blocksWide * sum / most
	if progressive {
		return blocks * (bytesOfBlock + 64)
	}
	return blocks * 64
}

// webpOrientation reads the orientation in the EXIF chunk of a WebP; 1 if there
// is none.
func webpOrientation(b []byte) int {
	for at := riffHeader; at+8 <= len(b); {
		size := int64(binary.LittleEndian.Uint32(b[at+4:]))
		if size > int64(len(b)-at-8) {
			break
		}
		if string(b[at:at+4]) == "EXIF" {
			return orientationOf(bytes.TrimPrefix(b[at+8:at+8+int(size)], []byte("Exif\x00\x00")))
		}
		at += 8 + int(size+size&1)
	}
	return 1
}

// orientationOf reads the orientation in the first directory of EXIF (a TIFF
// header); 1 if it is not there or not readable.
func orientationOf(tiff []byte) int {
	const tag, short = 0x0112, 3
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	}
	if order == nil || len(tiff) < 8 {
		return 1
	}
	dir := int64(order.Uint32(tiff[4:]))
	if dir+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[dir+2:]
	for range order.Uint16(tiff[dir:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}
