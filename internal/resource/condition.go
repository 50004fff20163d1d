package resource

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// waitTimeout is the default of Condition.Timeout.
const waitTimeout = time.Minute

// probeTimeout bounds one look, so that a plan is not held up by an address
// that never answers.
const probeTimeout = 2 * time.Second

// Condition is something that others wait for: a service answers. All that is
// set must hold.
type Condition struct {
	Name string // what is waited for: "etcd answers"

	TCP    string // address that accepts connections: "10.10.10.11:2379"
	URL    string // address that answers a GET with Status
	Status int    // 0 means any below 400
	Active string // unit that is active

	// CAFile, CertFile and KeyFile are files on the host for an https URL.
	CAFile, CertFile, KeyFile string

	Unit    string        // whose state and log belong in the error; Active if empty
	Timeout time.Duration // 0 means one minute

	After []string // keys of resources that come before this one
}

var (
	_ Resource = (*Condition)(nil)
	_ Requirer = (*Condition)(nil)
)

// Key returns "wait " and the name.
func (w *Condition) Key() string { return "wait " + w.Name }

// Requires returns what the condition is about.
func (w *Condition) Requires() []string {
	keys := append([]string{}, w.After...)
	if unit := w.unit(); unit != "" {
		keys = append(keys, "unit "+unit)
	}
	return keys
}

// Diff is a Wait if the condition does not hold.
func (w *Condition) Diff(ctx context.Context, h *Host) (Change, error) {
	if err := w.probe(ctx, h); err != nil {
		return Change{Action: Wait, Reason: err.Error()}, nil
	}
	return Change{}, nil
}

// Apply looks until the condition holds, more and more slowly: after 100 ms at
// first, every second at last.
func (w *Condition) Apply(ctx context.Context, h *Host) error {
	began, pause := time.Now(), 100*time.Millisecond
	limit := cmp.Or(w.Timeout, waitTimeout)
	for {
		err := w.probe(ctx, h)
		if err == nil {
			return nil
		}
		if time.Since(began) >= limit {
			err = fmt.Errorf("waited %s for %s: %w", limit, w.Name, err)
			if unit := w.unit(); unit != "" {
				err = fmt.Errorf("%w; %s", err, condition(ctx, h, unit))
			}
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted while waiting for %s: %w", w.Name, err)
		case <-time.After(min(pause, limit-time.Since(began))):
		}
		pause = min(pause*3/2, time.Second)
	}
}

// probe returns why the condition does not hold.
func (w *Condition) probe(ctx context.Context, h *Host) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if w.Active != "" {
		st, err := h.Units.Show(ctx, w.Active)
		if err != nil {
			return err
		}
		if !isRunning(st) {
			return fmt.Errorf("%s is %s", w.Active, st.Active)
		}
	}
	if w.TCP != "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.TCP)
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
	if w.URL != "" {
		return w.get(ctx, h)
	}
	return nil
}

func (w *Condition) get(ctx context.Context, h *Host) error {
	config, err := w.tls(h)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if w.Status == res.StatusCode || w.Status == 0 && res.StatusCode < 400 {
		return nil
	}
	return fmt.Errorf("%s answers %s", w.URL, res.Status)
}

func (w *Condition) tls(h *Host) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if w.CAFile != "" {
		data, err := h.Files.Read(w.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, errors.New(w.CAFile + " holds no certificate")
		}
	}
	if w.CertFile != "" {
		cert, err := h.Files.Read(w.CertFile)
		if err != nil {
			return nil, err
		}
		key, err := h.Files.Read(w.KeyFile)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.CertFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (w *Condition) unit() string { return cmp.Or(w.Unit, w.Active) }
