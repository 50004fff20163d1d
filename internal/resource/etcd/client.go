package etcd

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
	"strings"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// API is how to reach a cluster.
type API struct {
	Endpoints []string // client URLs, tried in order: https://10.10.10.10:2379
	CAFile    string   // of the CA that signed the servers' certificates; empty: the system's
	Username  string   // empty: no authentication
	Password  secret.Value
}

// Client is an API that is ready to be used. It is not safe for concurrent use.
type Client struct {
	api   API
	http  *http.Client
	token string
	plain bool // the cluster has authentication disabled
}

// Error is what etcd said of a request that it refused.
type Error struct {
	Path   string
	Status int    // of HTTP
	Text   string // "etcdserver: user name already exists"
}

// Error names the request and what etcd said.
func (e *Error) Error() string { return fmt.Sprintf("etcd: %s: %s", e.Path, e.Text) }

// says reports whether err is an Error with text in it.
func says(err error, text string) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Text, text)
}

// unserved reports whether err says that this version of etcd does not know
// the request. What etcd itself refuses or does not find begins with its name.
func unserved(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && !strings.HasPrefix(e.Text, "etcdserver: ")
}

// What etcd says: server/auth/store.go, server/etcdserver/errors.go, api/v3rpc/rpctypes/error.go.
const (
	saysDisabled      = "authentication is not enabled"
	saysWrongPassword = "authentication failed, invalid user ID or password"
	saysNobody        = "user name is empty"
	saysDenied        = "permission denied"
	saysBadToken      = "invalid auth token"
	saysUserExists    = "user name already exists"
	saysNoUser        = "user name not found"
	saysRoleExists    = "role name already exists"
	saysNoRole        = "role name not found"
	saysNotInSync     = "learner member which is in sync"
	saysNotLearner    = "can only promote a learner"
	saysPeerExists    = "Peer URLs already exists"
	saysUnhealthy     = "unhealthy cluster"

	// of a gateway whose own server has not started yet, or has stopped
	saysHalfway = "malformed header: missing HTTP content-type"
)

// ErrUnreachable is a cluster of which no endpoint answers.
var ErrUnreachable = errors.New("etcd does not answer")

// after is what Change.Unknown says while etcd cannot be reached.
const after = "after etcd starts"

// requestTimeout bounds a request to one endpoint. etcd itself gives up on what
// needs a quorum after about 7 s (5 s and two election timeouts).
const requestTimeout = 10 * time.Second

// Client returns a client. read gets the CA file: os.ReadFile, or Read of a host's files.
func (a API) Client(read func(path string) ([]byte, error)) (*Client, error) {
	transport := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{},
		// A member that waits for a quorum accepts connections and serves none.
		TLSHandshakeTimeout: 3 * time.Second,
		IdleConnTimeout:     10 * time.Second,
	}
	if a.CAFile != "" {
		pem, err := read(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading etcd's CA: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading etcd's CA: %s has no certificate", a.CAFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &Client{api: a, http: &http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// client is Client for a resource: until the CA's file is there, nothing can be reached.
func (a API) client(h *resource.Host) (*Client, error) {
	read := os.ReadFile
	if h.Files != nil {
		read = h.Files.Read
	}
	c, err := a.Client(read)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is %w", ErrUnreachable, a.CAFile, errNoCA)
	}
	return c, err
}

// as returns a client of the same cluster for another user; "" is nobody.
func (c *Client) as(name string, password secret.Value) *Client {
	api := c.api
	api.Username, api.Password = name, password
	return &Client{api: api, http: c.http}
}

// at returns a client of the same cluster that asks only the given endpoints.
func (c *Client) at(endpoints ...string) *Client {
	other := *c
	other.api.Endpoints = endpoints
	return &other
}

// call posts in to path, as the user if there is one, and reads out unless it is nil.
func (c *Client) call(ctx context.Context, path string, in, out any) error {
	for attempt := 0; ; attempt++ {
		if err := c.Authenticate(ctx); err != nil {
			return err
		}
		err := c.post(ctx, path, in, out)
		// Tokens end after 5 minutes of not being used, and when the server restarts.
		if attempt == 0 && c.token != "" && says(err, saysBadToken) {
			c.token = ""
			continue
		}
		return err
	}
}

// Authenticate gets a token for the user, unless there is one or none is needed.
func (c *Client) Authenticate(ctx context.Context) error {
	if c.api.Username == "" || c.token != "" || c.plain {
		return nil
	}
	var out struct{ Token string }
	err := c.post(ctx, "/v3/auth/authenticate", map[string]any{"name": c.api.Username, "password": c.api.Password.Reveal()}, &out)
	if says(err, saysDisabled) {
		c.plain = true
		return nil
	}
	c.token = out.Token
	return err
}

// post sends a request to the first endpoint that answers.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if len(c.api.Endpoints) == 0 {
		return fmt.Errorf("%w: there is no endpoint", ErrUnreachable)
	}
	var failures []error
	for _, endpoint := range c.api.Endpoints {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(endpoint, "/")+path, bytes.NewReader(data))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			req.Header.Set("Authorization", c.token)
		}
		resp, err := c.http.Do(req)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
			resp.Body.Close()
			if err == nil {
				if resp.StatusCode != http.StatusOK {
					err := answer(path, resp.StatusCode, body)
					// This member has no leader, or is about to start or stop; another may answer.
					if resp.StatusCode == http.StatusServiceUnavailable || says(err, saysHalfway) {
						failures = append(failures, err)
						continue
					}
					return err
				}
				if out == nil {
					return nil
				}
				if err := json.Unmarshal(body, out); err != nil {
					return fmt.Errorf("etcd: %s: reading the answer: %w", path, err)
				}
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failures = append(failures, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, errors.Join(failures...))
}

// answer reads the gateway's form of an error.
func answer(path string, status int, body []byte) error {
	var e struct{ Error, Message string }
	if json.Unmarshal(body, &e) != nil || e.Error+e.Message == "" {
		e.Error = fmt.Sprintf("status %d: %.200s", status, strings.TrimSpace(string(body)))
	}
	if e.Error == "" {
		e.Error = e.Message
	}
	return &Error{Path: path, Status: status, Text: e.Error}
}
