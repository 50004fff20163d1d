// Package fetch downloads: indexes into memory, package files to disk, several
// at a time, going on where an earlier download was cut, each checked against
// its size and SHA-256.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// Client downloads by http, https and file URLs. The zero value is ready.
type Client struct {
	HTTP     *http.Client
	Parallel int           // files at a time; 0 means 6
	Retries  int           // of what may pass, such as a reset connection; 0 means 3
	Pause    time.Duration // before the first retry, doubled each time; 0 means one second
}

// NotFound says that the server does not have what was asked for.
type NotFound struct{ URL string }

// Error names the URL without what may be a password in it.
func (e *NotFound) Error() string { return "there is no " + Shown(e.URL) }

// Shown returns a URL as it may be printed: without user and password, and
// without the values of parameters that are named like secrets.
func Shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil { // what stands before the last @ may be a password
		if i := strings.LastIndexByte(raw, '@'); i >= 0 {
			return "…@" + raw[i+1:]
		}
		return raw
	}
	u.User = nil
	if query := u.Query(); len(query) > 0 {
		for name := range query {
			if secretName.MatchString(name) {
				query.Set(name, "hidden")
				u.RawQuery = query.Encode()
			}
		}
	}
	return u.String()
}

var secretName = regexp.MustCompile(`(?i)token|sig|key|secret|pass|credential|auth`)

// Proxies are the URLs of proxies by scheme, and the hosts that need none.
type Proxies struct{ HTTP, HTTPS, No string }

// New returns a client that uses proxies. What is not given is taken from the environment.
func New(p Proxies) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConnsPerHost = 8
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		proxy := p.HTTP
		if r.URL.Scheme == "https" {
			proxy = p.HTTPS
		}
		if proxy == "" || direct(r.URL.Hostname(), p.No) {
			return http.ProxyFromEnvironment(r)
		}
		u, err := url.Parse(proxy)
		if err != nil { // which quotes it, with the password
			return nil, &permanent{errors.New("the proxy of proxy_env is no URL: write special characters of its password as %25 and the like")}
		}
		return u, nil
	}
	return &Client{HTTP: &http.Client{Transport: t}}
}

// direct reports whether list, separated by commas, has host or a domain of it.
func direct(host, list string) bool {
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimPrefix(strings.TrimSpace(entry), "*")
		if entry != "" && (host == entry || strings.HasSuffix(host, "."+strings.TrimPrefix(entry, "."))) {
			return true
		}
	}
	return false
}

// maxIndex bounds what is read into memory.
const maxIndex = 256 << 20

// Get returns what url has. The error is a *NotFound if the server says so.
func (c *Client) Get(ctx context.Context, url string) ([]byte, error) {
	var data []byte
	err := c.retry(ctx, func() error {
		body, _, err := c.open(ctx, url, 0)
		if err != nil {
			return err
		}
		defer body.Close()
		data, err = io.ReadAll(io.LimitReader(body, maxIndex+1))
		if err == nil && len(data) > maxIndex {
			return &permanent{fmt.Errorf("%s is larger than %d MB", Shown(url), maxIndex>>20)}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", Shown(url), err)
	}
	return data, nil
}

// permanent is an error that trying again does not mend.
type permanent struct{ error }

func (p *permanent) Unwrap() error { return p.error }

// open returns what url has from offset on; at is where the answer begins,
// which is 0 when the server does not go on in the middle.
func (c *Client) open(ctx context.Context, raw string, offset int64) (body io.ReadCloser, at int64, err error) {
	u, err := url.Parse(raw)
	if err != nil { // which quotes it, with the password
		return nil, 0, &permanent{fmt.Errorf("%s is no URL: write special characters of a password as %%25 and the like", Shown(raw))}
	}
	if u.Scheme == "file" {
		f, err := os.Open(u.Path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, 0, &permanent{&NotFound{raw}}
		}
		if err != nil {
			return nil, 0, &permanent{err}
		}
		at, err = f.Seek(offset, io.SeekStart)
		return f, at, err
	}
	ctx, patience := impatient(ctx)
	defer func() {
		if err != nil {
			patience.end()
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, &permanent{fmt.Errorf("%s cannot be asked for", Shown(raw))}
	}
	req.Header.Set("User-Agent", "pigsty")
	req.Header.Set("Accept-Encoding", "identity") // what is checked is what the file holds
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	res, err := cmp.Or(c.HTTP, http.DefaultClient).Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the caller names the URL
		}
		return nil, 0, patience.cause(err)
	}
	switch {
	case res.StatusCode == http.StatusPartialContent:
		return &patientBody{res.Body, patience}, offset, nil
	case res.StatusCode == http.StatusOK:
		return &patientBody{res.Body, patience}, 0, nil
	}
	res.Body.Close()
	err = fmt.Errorf("the server answers %s", res.Status)
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		err = &permanent{&NotFound{raw}}
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		err = errRange
	case res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusRequestTimeout:
		err = &permanent{err}
	}
	return nil, 0, err
}

// errRange says that a part is longer than the whole.
var errRange = errors.New("the part that was downloaded before does not fit")

// retry calls do until it succeeds or fails for good.
func (c *Client) retry(ctx context.Context, do func() error) error {
	pause := cmp.Or(c.Pause, time.Second)
	for n := 0; ; n++ {
		err := do()
		var p *permanent
		switch {
		case err == nil:
			return nil
		case errors.As(err, &p):
			return p.error
		case ctx.Err() != nil || n >= cmp.Or(c.Retries, 3):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}
