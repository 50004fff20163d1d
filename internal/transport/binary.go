package transport

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// binaries are the agent binaries that can be pushed: the program's own, and for
// hosts of another architecture those named like pigsty-linux-arm64 beside it.
type binaries struct {
	own func() (*binary, error)

	mu    sync.Mutex
	other map[string]*binary // by architecture as Go names it
}

// binary is one agent binary, hashed when found and compressed when first needed.
type binary struct {
	path string
	arch string // as Go names it; "any" for a script, "" for another system's
	hash string // SHA-256, hex
	size int64
	gzip func() ([]byte, error)
}

// machineNames has the names that uname -m uses for an architecture.
var machineNames = map[string]string{
	"amd64": "x86_64 amd64", "arm64": "aarch64 arm64", "ppc64le": "ppc64le",
	"s390x": "s390x", "riscv64": "riscv64", "loong64": "loongarch64", "any": "any", "": "none",
}

func newBinaries(path string) *binaries {
	b := &binaries{other: map[string]*binary{}}
	b.own = sync.OnceValues(func() (*binary, error) {
		if path == "" {
			var err error
			if path, err = os.Executable(); err != nil {
				return nil, err
			}
		}
		return readBinary(path)
	})
	return b
}

func readBinary(path string) (*binary, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the agent binary: %w", err)
	}
	sum := sha256.Sum256(text)
	return &binary{
		path: path, arch: archOf(text), size: int64(len(text)), hash: hex.EncodeToString(sum[:]),
		gzip: sync.OnceValues(func() ([]byte, error) { return compress(path, sum) }),
	}, nil
}

// archOf returns the architecture that the file's header names.
func archOf(text []byte) string {
	if bytes.HasPrefix(text, []byte("#!")) {
		return "any"
	}
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return ""
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		if f.Data == elf.ELFDATA2LSB {
			return "ppc64le"
		}
	}
	return ""
}

// compress reads path again, so that no copy of it stays in memory where no host
// needs it, and makes sure that it is still the file that was hashed.
func compress(path string, sum [32]byte) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(text) != sum {
		return nil, fmt.Errorf("%s changed while the program runs", path)
	}
	var out bytes.Buffer
	out.Grow(len(text) / 2)
	// The default level takes 0.1 s more per 15 MB than the fastest, once, and
	// saves a tenth of the bytes to every host.
	w, err := gzip.NewWriterLevel(&out, gzip.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// machines returns what uname -m may say on hosts that can run b.
func (b *binary) machines() string { return machineNames[b.arch] }

func (b *binary) sizeText() string { return strconv.FormatInt(b.size, 10) }

// payload returns what to send for the given encoding, "gzip" or "raw".
func (b *binary) payload(encoding string) ([]byte, error) {
	if encoding == "gzip" {
		return b.gzip()
	}
	return os.ReadFile(b.path)
}

// forMachine returns the binary for a host whose uname -m says machine.
func (b *binaries) forMachine(machine string) (*binary, error) {
	own, err := b.own()
	if err != nil {
		return nil, err
	}
	arch := machine
	for goarch, names := range machineNames {
		for name := range strings.FieldsSeq(names) {
			if name == machine {
				arch = goarch
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.other[arch]; found != nil {
		return found, nil
	}
	dir, base := filepath.Split(own.path)
	base, _, _ = strings.Cut(base, "-linux-")
	var looked []string
	for _, name := range []string{base + "-linux-" + arch, "pigsty-linux-" + arch} {
		path := filepath.Join(dir, name)
		found, err := readBinary(path)
		if err == nil && (found.arch == arch || found.arch == "any") {
			b.other[arch] = found
			return found, nil
		}
		if len(looked) == 0 || looked[0] != path {
			looked = append(looked, path)
		}
	}
	return nil, fail(StagePush, "put the "+arch+" build of the same version at "+looked[0],
		"the host is %s, the binary %s is not, and there is no %s", machine, own.path, strings.Join(looked, " or "))
}
