package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// DescribeFile returns the paragraph of a flat repository's index for the .deb at
// file, whoever made it.
func DescribeFile(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	control, err := readControl(f)
	if err != nil {
		return "", fmt.Errorf("%s is no Debian package: %w", file, err)
	}
	return fmt.Sprintf("%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n",
		strings.TrimSpace(control), filepath.Base(file), size, hex.EncodeToString(sum.Sum(nil))), nil
}

// maxControl bounds what is read of a package's control archive, in bytes.
const maxControl = 8 << 20

// readControl returns the control file of a .deb.
func readControl(r io.Reader) (string, error) {
	magic := make([]byte, 8)
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != "!<arch>\n" {
		return "", errors.New("it does not begin like one")
	}
	for {
		var head [60]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return "", errors.New("it has no control file")
		}
		name := strings.TrimRight(strings.TrimSpace(string(head[:16])), "/")
		size, err := strconv.ParseInt(strings.TrimSpace(string(head[48:58])), 10, 64)
		if err != nil || size < 0 {
			return "", errors.New("it is damaged")
		}
		if !strings.HasPrefix(name, "control.tar") {
			if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
				return "", errors.New("it was cut")
			}
			continue
		}
		if size > maxControl {
			return "", errors.New("what it says of itself is too long")
		}
		body, err := io.ReadAll(io.LimitReader(r, size))
		if err != nil {
			return "", err
		}
		return controlOf(body, path.Ext(name))
	}
}

// controlOf returns the file called control of an archive that is compressed as
// the end of its name says.
func controlOf(archive []byte, compression string) (string, error) {
	in := io.Reader(bytes.NewReader(archive))
	var err error
	switch compression {
	case ".gz":
		in, err = gzip.NewReader(in)
	case ".xz":
		in, err = xz.NewReader(in)
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20)); err == nil {
			defer z.Close()
			in = z
		}
	case ".tar":
	default:
		return "", fmt.Errorf("its control archive is compressed as %s, which is not known", compression)
	}
	if err != nil {
		return "", err
	}
	t := tar.NewReader(io.LimitReader(in, maxControl))
	for {
		h, err := t.Next()
		if err != nil {
			return "", errors.New("it has no control file")
		}
		if path.Clean(h.Name) == "control" {
			text, err := io.ReadAll(t)
			return string(text), err
		}
	}
}
