package patroni

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// API is how to reach the REST API of one member, or of any member of a cluster.
type API struct {
	URL      string   // https://10.10.10.11:8008
	Fallback []string // more members that will do, in the order that they are tried in
	CAFile   string   // of the CA that signed the API's certificate; empty: the system's
	Username string   // for requests that change something; empty: none
	Password secret.Value
}

// Client is an API that is ready to be used.
type Client struct {
	api  API
	base string
	more *others // nil: base alone will do
	http *http.Client
}

// others are the members that a client turns to when one does not answer.
type others struct {
	mu    sync.Mutex
	bases []string // all that will do, the one that answered last first
}

// Error is a request that Patroni refused or failed.
type Error struct {
	Method, URL string
	Status      int
	Text        string // what Patroni said
}

// Error names the request and what Patroni said.
func (e *Error) Error() string {
	return fmt.Sprintf("patroni: %s %s: status %d: %s", e.Method, e.URL, e.Status, e.Text)
}

// ErrUnreachable is an API that does not answer at all.
var ErrUnreachable = errors.New("patroni does not answer")

// requestTimeout bounds requests that Patroni answers at once. Restarts and
// switchovers are bounded by their context alone.
const requestTimeout = 10 * time.Second

// What a member may take to connect, and to answer a question, while there are
// others to ask: one that is dead must not hold up a run.
const (
	dialTimeout   = 5 * time.Second
	hastyDial     = time.Second
	hastyQuestion = 3 * time.Second
)

// hasty is the key of a context's value that says that there are others to ask.
type hasty struct{}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if ctx.Value(hasty{}) != nil {
		d.Timeout = hastyDial
	}
	return d.DialContext(ctx, network, addr)
}

// Client returns a client. read gets the CA file: os.ReadFile, or Read of a host's files.
func (a API) Client(read func(path string) ([]byte, error)) (*Client, error) {
	transport := &http.Transport{
		DialContext:       dial,
		DisableKeepAlives: true, // members come and go
		TLSClientConfig:   &tls.Config{},
	}
	if a.CAFile != "" {
		pem, err := read(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA of patroni's API: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the CA of patroni's API: %s has no certificate", a.CAFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	c := &Client{api: a, base: strings.TrimSuffix(a.URL, "/"), http: &http.Client{Transport: transport}}
	if len(a.Fallback) > 0 {
		c.more = &others{bases: []string{c.base}}
		for _, url := range a.Fallback {
			c.more.bases = append(c.more.bases, strings.TrimSuffix(url, "/"))
		}
	}
	return c, nil
}

// client is Client for a resource: until the CA's file is there, nothing can be reached.
func (a API) client(h *resource.Host) (*Client, error) {
	read := os.ReadFile
	if h.Files != nil {
		read = h.Files.Read
	}
	c, err := a.Client(read)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is not there yet", ErrUnreachable, a.CAFile)
	}
	if err == nil && c.more != nil { // who answered is remembered for all resources of the cluster
		name := "patroni members " + strings.Join(c.more.bases, " ")
		if v, err := h.State(name, func() (any, error) { return c.more, nil }); err == nil {
			c.more = v.(*others)
		}
	}
	return c, err
}

// At returns the same client for one member alone, given its api_url.
func (c *Client) At(url string) *Client {
	other := *c
	other.more = nil
	other.base = strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/patroni")
	return &other
}

// do sends a request and returns the answer's status and body. in is sent as
// JSON unless nil. Of a client with fallbacks the first member that answers
// will do, and is the first to be asked from then on. A request that changes
// something goes to the next member only if it certainly never arrived.
func (c *Client) do(ctx context.Context, method, path string, in any) (int, []byte, error) {
	if c.more == nil {
		return c.send(ctx, c.base, method, path, in)
	}
	c.more.mu.Lock()
	bases := slices.Clone(c.more.bases)
	c.more.mu.Unlock()
	var failed []error
	for i, base := range bases {
		status, data, err := c.try(ctx, base, i == len(bases)-1, method, path, in)
		if err == nil {
			c.more.prefer(base)
			return status, data, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil || !errors.Is(err, ErrUnreachable) || method != http.MethodGet && !undelivered(err) {
			return 0, nil, err
		}
	}
	return 0, nil, errors.Join(failed...)
}

// try sends a request to one of several members, briefly unless it is the last.
func (c *Client) try(ctx context.Context, base string, last bool, method, path string, in any) (int, []byte, error) {
	if !last {
		ctx = context.WithValue(ctx, hasty{}, true)
		if method == http.MethodGet {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, hastyQuestion)
			defer cancel()
		}
	}
	return c.send(ctx, base, method, path, in)
}

// prefer puts base before the others.
func (o *others) prefer(base string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.bases, base); i > 0 {
		o.bases = slices.Insert(slices.Delete(o.bases, i, i+1), 0, base)
	}
}

// undelivered reports whether err is of a request for which no connection came about.
func undelivered(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// send sends a request to one member.
func (c *Client) send(ctx context.Context, base, method, path string, in any) (int, []byte, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(data)
	}
	url := base + path
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.api.Username != "" && method != http.MethodGet {
		req.SetBasicAuth(c.api.Username, c.api.Password.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return 0, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: reading the answer to %s %s: %w", ErrUnreachable, method, url, err)
	}
	return resp.StatusCode, data, nil
}

// where is the member that is asked first.
func (c *Client) where() string {
	if c.more == nil {
		return c.base
	}
	c.more.mu.Lock()
	defer c.more.mu.Unlock()
	return c.more.bases[0]
}

// get reads JSON. Patroni answers some requests with 503 and a body that is
// as good.
func (c *Client) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	status, data, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK && status != http.StatusServiceUnavailable || json.Unmarshal(data, out) != nil {
		return c.refused(http.MethodGet, path, status, data)
	}
	return nil
}

// change sends a request that changes something and returns what Patroni said.
func (c *Client) change(ctx context.Context, method, path string, in any) (string, error) {
	status, data, err := c.do(ctx, method, path, in)
	if err != nil {
		return "", err
	}
	if status/100 != 2 {
		return "", c.refused(method, path, status, data)
	}
	return strings.TrimSpace(string(data)), nil
}

func (c *Client) refused(method, path string, status int, data []byte) error {
	text := strings.TrimSpace(string(data))
	if status == http.StatusUnauthorized {
		text = "the user name or password is wrong"
	}
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return &Error{Method: method, URL: c.where() + path, Status: status, Text: text}
}
