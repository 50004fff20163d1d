package e2e

import (
	"context"
	"errors"
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
	stall  time.Duration // the longest that the machine let the writer sleep beyond what it asked for
	lost   error         // why the newest attempt failed
	// What began each time in which its sessions broke or were refused until a
	// write was acknowledged again. That it has no patience itself is no such thing.
	outages []error
	out     bool // whether it is in one
}

// noise is how long a client may wait to whom nothing happened: seconds, and more on
// a machine that holds up the writer itself. What did happen is told by outages.
func (wr *writer) noise() time.Duration { return 10*time.Second + 10*wr.stall }

// leaseRisk is how long a machine may stand still without Patroni, whose questions
// to etcd and to other members take 2 s at most, having a reason to give up the lead.
const leaseRisk = 2 * time.Second

// unnoticed stops the writer and checks that nothing happened to it: its session
// held, nothing of what it wrote is missing, and nobody kept it waiting.
func (wr *writer) unnoticed(t *testing.T) {
	t.Helper()
	if missing := wr.stop(t); missing > 0 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	for _, err := range wr.outages {
		if wr.stall > leaseRisk {
			t.Logf("a client of the leader noticed, on a machine that held it up for %s: %v", wr.stall, err)
		} else {
			t.Errorf("a client of the leader noticed: %v", err)
		}
	}
	if wr.pause > wr.noise() {
		t.Errorf("a client of the leader waited %s, on a machine that held it up for %s", wr.pause, wr.stall)
	}
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
	wr.resumes(t, time.Minute)
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
			wr.last, wr.out = time.Now(), false
		} else if ctx.Err() == nil && !wr.out && !errors.Is(err, context.DeadlineExceeded) {
			wr.outages, wr.out = append(wr.outages, err), true
		}
		wr.mu.Unlock()
		if err != nil && c != nil {
			_ = c.Close(context.Background())
			c = nil
		}
		const pace = 10 * time.Millisecond
		began := time.Now()
		time.Sleep(pace)
		wr.stall = max(wr.stall, time.Since(began)-pace)
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
	eventually(t, 2*time.Minute, "read what was written", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
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
	t.Logf("%d writes acknowledged, %d of them missing, longest pause %s, %d outages, machine held up for %s",
		len(wr.acked), missing, wr.pause.Round(10*time.Millisecond), len(wr.outages), wr.stall.Round(10*time.Millisecond))
	return missing
}
