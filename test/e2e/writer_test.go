package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// writer inserts numbers through a service, one after another, reconnecting
// when it must, and remembers which were acknowledged.
type writer struct {
	w      *world
	port   int
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	acked  []int
	last   time.Time     // of the newest acknowledgement
	pause  time.Duration // the longest between two
	lost   error         // why the newest attempt failed
	failed [2]time.Time  // when the first and the last attempt that failed did so
}

// startWriter begins to write into table written of database test.
func startWriter(t *testing.T, w *world, port int) *writer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	wr := &writer{w: w, port: port, cancel: cancel}
	eventually(t, time.Minute, "a table to write to", func() error {
		c, err := wr.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close(ctx) }()
		_, err = c.Exec(ctx, "drop table if exists written; create table written (n int)")
		return err
	})
	wr.last = time.Now()
	wr.done.Go(func() { wr.loop(ctx) })
	wr.resumes(t, 10*time.Second)
	return wr
}

// dial connects through the first host that lets it; a client of a real cluster
// names several hosts too.
func (wr *writer) dial(ctx context.Context) (*pgx.Conn, error) {
	var err error
	for _, n := range wr.w.entries {
		var c *pgx.Conn
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		c, err = wr.w.sql(attempt, n, wr.port, "test", "Test.Test", "test")
		cancel()
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

func (wr *writer) loop(ctx context.Context) {
	var c *pgx.Conn
	for n := 1; ctx.Err() == nil; n++ {
		var err error
		if c == nil {
			c, err = wr.dial(ctx)
		}
		if err == nil {
			attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, err = c.Exec(attempt, fmt.Sprintf("insert into written values (%d)", n))
			cancel()
		}
		wr.mu.Lock()
		if wr.lost = err; err == nil {
			wr.acked = append(wr.acked, n)
			wr.pause = max(wr.pause, time.Since(wr.last))
			wr.last = time.Now()
		} else if ctx.Err() == nil {
			if wr.failed[1] = time.Now(); wr.failed[0].IsZero() {
				wr.failed[0] = wr.failed[1]
			}
		}
		wr.mu.Unlock()
		if err != nil && c != nil {
			_ = c.Close(context.Background())
			c = nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	if c != nil {
		_ = c.Close(context.Background())
	}
}

// resumes waits until a write is acknowledged that began after the call.
func (wr *writer) resumes(t *testing.T, deadline time.Duration) {
	t.Helper()
	began := time.Now()
	eventually(t, deadline, "writes resume", func() error {
		wr.mu.Lock()
		defer wr.mu.Unlock()
		if wr.last.After(began.Add(50 * time.Millisecond)) {
			return nil
		}
		return fmt.Errorf("the last attempt: %w", orNone(wr.lost))
	})
}

func orNone(err error) error {
	if err == nil {
		return fmt.Errorf("no failure")
	}
	return err
}

// stop ends the writing and checks that every acknowledged write is there.
func (wr *writer) stop(t *testing.T) (missing int) {
	t.Helper()
	wr.cancel()
	wr.done.Wait()
	have := map[int]bool{}
	eventually(t, time.Minute, "read what was written", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c, err := wr.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close(ctx) }()
		rows, err := c.Query(ctx, "select n from written")
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[int])
		for _, n := range list {
			have[n] = true
		}
		return err
	})
	for _, n := range wr.acked {
		if !have[n] {
			missing++
		}
	}
	t.Logf("%d writes acknowledged, %d of them missing, longest pause %s", len(wr.acked), missing, wr.pause.Round(10*time.Millisecond))
	return missing
}
