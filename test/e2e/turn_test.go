package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// worldsAtOnce is how many worlds there are at a time: they wait for much of their
// time, and on a small machine more would wait for each other.
const worldsAtOnce = 4

// longest are tests in the order in which they begin, before all others: who takes
// longest should not begin last, when nothing is left to run beside it.
var longest = []string{"TestRepository", "TestInfra", "TestS3", "TestDebian12", "TestMeta", "TestCluster", "TestOperate", "TestQuorum", "TestKinds", "TestAccess"}

var turns = newQueue(worldsAtOnce)

// queue lets in a number of tests at once.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	places  int
	waiting []string
}

func newQueue(places int) *queue {
	q := &queue{places: places}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// enter waits until it is the test's turn, which ends with it.
func (q *queue) enter(t *testing.T) {
	q.mu.Lock()
	q.waiting = append(q.waiting, t.Name())
	q.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // for all that begin together to be there
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.places == 0 || q.next() != t.Name() {
		q.changed.Wait()
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(name string) bool { return name == t.Name() })
	q.places--
	q.changed.Broadcast()
	t.Cleanup(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.places++
		q.changed.Broadcast()
	})
}

// next returns who comes first of those who wait.
func (q *queue) next() string {
	return slices.MinFunc(q.waiting, func(a, b string) int { return rank(a) - rank(b) })
}

func rank(name string) int {
	if n := slices.Index(longest, name); n >= 0 {
		return n
	}
	return len(longest)
}
