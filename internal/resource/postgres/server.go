package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"pigsty/internal/resource"
)

// Server is how the agent reaches the PostgreSQL server of its own host: over the
// unix socket, as the operating system user that is also the superuser. The
// zero value means the defaults.
type Server struct {
	Socket string // directory of the socket; /var/run/postgresql
	Port   int    // 5432
	User   string // postgres
}

func (s Server) withDefaults() Server {
	if s.Socket == "" {
		s.Socket = "/var/run/postgresql"
	}
	if s.Port == 0 {
		s.Port = 5432
	}
	if s.User == "" {
		s.User = "postgres"
	}
	return s
}

// maintenance is the database that the shared catalogs are read from.
const maintenance = "postgres"

const (
	maxConns   = 4                // connections of one pass at the same time
	snapshotOK = 30 * time.Second // a snapshot older than this is read again
	idleOK     = time.Second      // a connection idle for longer is checked before use
)

// notRunning is what Change.Unknown says of a server that does not answer.
const notRunning = "after postgres accepts connections"

// errNotRunning is a server that does not answer (yet).
var errNotRunning = errors.New("postgres does not accept connections")

// pass is what the resources of one host and server share while they are
// observed and applied: connections, and snapshots of the catalogs.
type pass struct {
	server   Server
	accounts resource.Accounts
	slots    chan struct{} // one per connection in use

	mu   sync.Mutex
	idle map[string][]idleConn

	catMu sync.Mutex
	cat   *catalog
	dbs   map[string]*dbSnapshot

	recreated map[string]bool // databases that this pass dropped and created
	available available
}

type idleConn struct {
	conn  *pgx.Conn
	since time.Time
}

// pass returns what is shared for s on h.
func (s Server) pass(h *resource.Host) *pass {
	s = s.withDefaults()
	name := fmt.Sprintf("postgres %s:%d", s.Socket, s.Port)
	v, _ := h.State(name, func() (any, error) { // open never fails: connections are made when asked for
		return &pass{
			server: s, accounts: h.Accounts, slots: make(chan struct{}, maxConns),
			idle: map[string][]idleConn{}, dbs: map[string]*dbSnapshot{}, recreated: map[string]bool{},
		}, nil
	})
	return v.(*pass)
}

// Close ends the idle connections; Host.Forget and Host.Close call it.
func (p *pass) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for db := range p.idle {
		p.dropIdle(db)
	}
	return nil
}

// dropIdle closes the idle connections to db. The caller holds p.mu.
func (p *pass) dropIdle(db string) {
	for _, c := range p.idle[db] {
		closeConn(c.conn)
	}
	delete(p.idle, db)
}

// disconnect closes the idle connections to db, which would keep it from being
// dropped, copied or moved.
func (p *pass) disconnect(db string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropIdle(db)
}

// forget drops the snapshots, because something was changed.
func (p *pass) forget() {
	p.catMu.Lock()
	defer p.catMu.Unlock()
	p.cat = nil
	clear(p.dbs)
}

// forgetDB drops the snapshot of one database, because something was changed in
// it that no other snapshot shows.
func (p *pass) forgetDB(name string) {
	p.catMu.Lock()
	defer p.catMu.Unlock()
	delete(p.dbs, name)
}

// with calls fn with a connection to db that nobody else uses meanwhile. fn
// must not call with.
func (p *pass) with(ctx context.Context, db string, fn func(*pgx.Conn) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := p.take(ctx, db)
	if err != nil {
		return err
	}
	err = fn(conn)
	p.put(db, conn)
	return err
}

func (p *pass) take(ctx context.Context, db string) (*pgx.Conn, error) {
	for {
		p.mu.Lock()
		list := p.idle[db]
		if len(list) == 0 {
			p.mu.Unlock()
			return p.connect(ctx, db)
		}
		c := list[len(list)-1]
		p.idle[db] = list[:len(list)-1]
		p.mu.Unlock()
		if c.conn.IsClosed() {
			continue
		}
		// The server may have been restarted since.
		if time.Since(c.since) > idleOK && c.conn.Ping(ctx) != nil {
			closeConn(c.conn)
			continue
		}
		return c.conn, nil
	}
}

// put keeps conn for the next use, unless enough are kept. A transaction left open
// would leak into the next use, so such a connection is closed.
func (p *pass) put(db string, conn *pgx.Conn) {
	if conn.IsClosed() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := 0
	for _, list := range p.idle {
		kept += len(list)
	}
	if conn.PgConn().TxStatus() != 'I' || kept >= maxConns {
		closeConn(conn)
		return
	}
	p.idle[db] = append(p.idle[db], idleConn{conn, time.Now()})
}

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// connect opens a connection to db as the superuser.
func (p *pass) connect(ctx context.Context, db string) (*pgx.Conn, error) {
	account, ok, err := p.accounts.User(p.server.User)
	if err != nil {
		return nil, fmt.Errorf("looking up user %s: %w", p.server.User, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: there is no user %s yet", errNotRunning, p.server.User)
	}
	gid := account.UID
	if g, ok, err := p.accounts.Group(account.Group); err == nil && ok {
		gid = g
	}
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = p.server.Socket, uint16(p.server.Port)
	config.User, config.Database, config.Password = p.server.User, db, ""
	config.Fallbacks = nil
	config.ConnectTimeout = 15 * time.Second
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams = map[string]string{
		"application_name": "pigsty",
		"client_encoding":  "UTF8",
		"datestyle":        "ISO, MDY",
		// A database's owner may set search_path for it; nothing of theirs may
		// stand in for a catalog function that a superuser calls.
		"search_path": "pg_catalog",
		// A cluster in strict synchronous mode without a replica would hang on the
		// first statement. What a failover loses, the next plan finds.
		"synchronous_commit": "local",
		"lock_timeout":       "60s",
		"statement_timeout":  "0",
	}
	config.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) {
		return dialAs(ctx, addr, account.UID, gid)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		if absent(err) && ctx.Err() == nil {
			return nil, fmt.Errorf("%w (socket %s, port %d)", errNotRunning, p.server.Socket, p.server.Port)
		}
		return nil, fmt.Errorf("connecting to database %s as %s by socket %s port %s: %w",
			db, p.server.User, p.server.Socket, strconv.Itoa(p.server.Port), serverError(err))
	}
	return conn, nil
}

// absent reports whether err is of a server that is not there, is starting or
// is stopping.
func absent(err error) bool {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57P03" // cannot_connect_now
}

// observe calls fn with the pass and snapshot of the leader's server. It is
// the frame of every Diff of a resource of the cluster.
func (s Server) observe(ctx context.Context, h *resource.Host, fn func(*pass, *catalog) (resource.Change, error)) (resource.Change, error) {
	p := s.pass(h)
	cat, err := p.catalog(ctx)
	if errors.Is(err, errNotRunning) {
		return resource.Change{Unknown: notRunning}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	return fn(p, cat)
}

// converge calls fn with the pass and snapshot of the leader's server, and
// drops the snapshots afterwards. It is the frame of every Apply that changes
// what all databases share.
func (s Server) converge(ctx context.Context, h *resource.Host, fn func(*pass, *catalog) error) error {
	p := s.pass(h)
	cat, err := p.catalog(ctx)
	if err != nil {
		return err
	}
	defer p.forget()
	return fn(p, cat)
}

// transact runs statements on db in one transaction.
func (p *pass) transact(ctx context.Context, db string, statements []string) error {
	return p.with(ctx, db, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, sql := range statements {
				if err := leaderExec(ctx, conn, sql); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// run executes statements on db one by one, for those that refuse to be in a transaction.
func (p *pass) run(ctx context.Context, db string, statements ...string) error {
	return p.with(ctx, db, func(conn *pgx.Conn) error {
		for _, sql := range statements {
			if err := leaderExec(ctx, conn, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// leaderExec executes sql. A server that has meanwhile become a replica refuses
// to write (25006, read_only_sql_transaction).
func leaderExec(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "25006" {
		return resource.ErrNotLeader
	}
	return serverError(err)
}
