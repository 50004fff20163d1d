package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

// silence is how long a server may send nothing. A mirror or a proxy that keeps a
// connection open and is dead would otherwise hold up a build for ever.
var silence = time.Minute

var errSilent = errors.New("the server stopped sending")

// patience ends a request when nothing has come for too long.
type patience struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// impatient returns a context for a request, and what watches over it.
func impatient(ctx context.Context) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &patience{ctx, cancel, time.AfterFunc(silence, func() { cancel(errSilent) })}
}

func (p *patience) end() {
	p.timer.Stop()
	p.cancel(nil)
}

// cause returns errSilent in place of the error that it led to.
func (p *patience) cause(err error) error {
	if errors.Is(context.Cause(p.ctx), errSilent) {
		return errSilent
	}
	return err
}

// patientBody is an answer's body, whose every byte is a sign of life.
type patientBody struct {
	io.ReadCloser
	patience *patience
}

func (b *patientBody) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	if n > 0 {
		b.patience.timer.Reset(silence)
	}
	if err != nil && err != io.EOF {
		err = b.patience.cause(err)
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.patience.end()
	return b.ReadCloser.Close()
}
