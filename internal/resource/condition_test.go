package resource_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestCondition(t *testing.T) {
	h := resourcetest.New()
	var status atomic.Int32
	status.Store(http.StatusServiceUnavailable)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer s.Close()

	r := &resource.Condition{Name: "app answers", URL: s.URL, Timeout: 300 * time.Millisecond, Unit: "app.service"}
	h.Systemd.Set("app.service", resource.UnitState{Active: "failed"})
	h.Systemd.Break("app.service", "out of memory")
	run(t, h, r, step{"never", nil, "", "waited 300ms for app answers: " + s.URL +
		" answers 503 Service Unavailable; app.service is failed, and its log ends with\n  out of memory"})
	r.Timeout = time.Minute
	time.AfterFunc(150*time.Millisecond, func() { status.Store(http.StatusOK) })
	run(t, h, r, step{"later", nil, "wait: " + s.URL + " answers 503 Service Unavailable", ""}, step{"holds", nil, "", ""})
	r.Status, r.Timeout = http.StatusTeapot, 300*time.Millisecond
	run(t, h, r, step{"other status", nil, "", "answers 200 OK"})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp := &resource.Condition{Name: "port", TCP: l.Addr().String(), Timeout: time.Millisecond}
	run(t, h, tcp, step{"open", nil, "", ""})
	_ = l.Close()
	run(t, h, tcp, step{"closed", nil, "", "connection refused"})

	run(t, h, &resource.Condition{Name: "unit", Active: "app.service", Timeout: time.Millisecond},
		step{"unit", nil, "", "waited 1ms for unit: app.service is failed"},
		step{"active", func(h *resourcetest.Host) { h.Systemd.Set("app.service", resource.UnitState{Active: "active"}) }, "", ""})

	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	c, err := (&resource.Condition{Name: "tls", URL: tls.URL}).Diff(ctx, h.Host)
	if err != nil || !strings.Contains(c.Reason, "certificate") {
		t.Errorf("an unknown CA: %v %v", c, err)
	}
}
