package recipe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Architectures are those that packages are made for, in Go's words, which are
// Debian's too.
var Architectures = []string{"amd64", "arm64"}

// Toolchain is the Go that compiles.
type Toolchain struct {
	Path    string // of the command
	Version string // "go1.26.0"
}

// FindToolchain returns the Go in PATH.
func FindToolchain(ctx context.Context) (Toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return Toolchain{}, errors.New("compiling needs Go, and there is no command go in PATH: install it from https://go.dev/dl, or on another machine build with --dir and copy that directory")
	}
	t := Toolchain{Path: path}
	out, err := t.run(ctx, os.TempDir(), nil, "env", "GOVERSION")
	t.Version = strings.TrimSpace(string(out))
	return t, err
}

// compiled is what came of a recipe's program for one architecture.
type compiled struct {
	binary  []byte
	license []byte // nil if the module has none
}

// compile compiles the recipe's program for arch. The module's own go.sum has
// the digest of everything that it needs, so its digest vouches for the whole.
func (t Toolchain) compile(ctx context.Context, r *Recipe, arch string) (*compiled, error) {
	work, err := os.MkdirTemp("", "pigsty-recipe")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	dir, err := t.source(ctx, r, work)
	if err != nil {
		return nil, err
	}
	main := filepath.Join(dir, filepath.FromSlash(r.Go.Package))
	if info, err := os.Stat(main); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s has no directory %s: see go.package of the recipe", r.Source(), r.Go.Package)
	}
	out := filepath.Join(work, "program")
	args := []string{"build", "-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", strings.TrimSpace(r.Go.LDFlags + " -buildid="), "-o", out}
	if len(r.Go.Tags) > 0 {
		args = append(args, "-tags", strings.Join(r.Go.Tags, ","))
	}
	env := []string{
		"GOOS=linux", "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0",
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.time().Unix(), 10), "GONOSUMDB=*", // go.sum has them all
	}
	if r.Go.Toolchain != "" {
		env = append(env, "GOTOOLCHAIN="+r.Go.Toolchain)
	}
	if _, err := t.run(ctx, main, env, args...); err != nil {
		return nil, fmt.Errorf("compile %s: %w", r.Source(), err)
	}
	c := &compiled{}
	if c.binary, err = os.ReadFile(out); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(c.binary, []byte("\x7fELF")) {
		return nil, fmt.Errorf("%s in %s is no main package: see go.package of the recipe", r.Go.Package, r.Source())
	}
	for _, name := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING"} {
		if c.license, err = os.ReadFile(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return c, nil
}

// run runs the go command in dir, with little of the machine's attention, and
// nothing of what the user has set for work of their own.
func (t Toolchain) run(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	words := append([]string{t.Path}, args...)
	if nice, err := exec.LookPath("nice"); err == nil {
		words = append([]string{nice, "-n", "10"}, words...)
	}
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), append([]string{"GOFLAGS=", "GOWORK=off", "GO111MODULE=on", "GOEXPERIMENT="}, env...)...)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return out.Bytes(), errors.New(cmp.Or(lastLines(said.String(), 8), err.Error()))
}

// lastLines returns the last n lines of what a command said, where its errors are.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
