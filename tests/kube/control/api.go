package control

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const answerMax = 1 << 20 // bytes; what we ask for is a few kilobytes

// api is the administrator's connection to one API server.
type api struct {
	base   string
	client *http.Client
}

func (d Dir) dialAPI(port int) (*api, error) {
	ca, err := os.ReadFile(d.Path("pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", d.Path("pki", "ca.crt"))
	}
	cert, err := tls.LoadX509KeyPair(d.Path("pki", adminUser+".crt"), d.Path("pki", adminUser+".key"))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
		Proxy:           nil, // the loopback needs none, whatever the environment says
	}
	return &api{fmt.Sprintf("https://127.0.0.1:%d", port), &http.Client{Transport: transport}}, nil
}

func (a *api) close() { a.client.CloseIdleConnections() }

// statusError is an answer other than 2xx.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.text) }

// call sends one request; the caller closes the body.
func (a *api) call(ctx context.Context, method, path, contentType string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // for the message only
	return nil, &statusError{resp.StatusCode, strings.TrimSpace(string(text))}
}

func (a *api) do(ctx context.Context, method, path, contentType string, body []byte) error {
	answer, err := a.call(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer, answerMax))
	return err
}

func (a *api) ready(ctx context.Context) error {
	return a.do(ctx, http.MethodGet, "/readyz", "", nil)
}

// object is as much of a Kubernetes object as we look at.
type object struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
	} `json:"status"`
}

func exists(object) bool { return true }

func conditionReady(o object) bool {
	for _, c := range o.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// await watches the one object until it is as wanted. A watch without a resourceVersion begins with
// what exists, so nothing is missed between a read and the watch.
func (a *api) await(ctx context.Context, collection, name string, wanted func(object) bool) error {
	query := url.Values{"watch": {"1"}, "fieldSelector": {"metadata.name=" + name}}
	body, err := a.call(ctx, http.MethodGet, collection+"?"+query.Encode(), "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	events := json.NewDecoder(body)
	for {
		var event struct {
			Type   string `json:"type"`
			Object object `json:"object"`
		}
		if err := events.Decode(&event); err != nil {
			return fmt.Errorf("watch %s/%s: %w", collection, name, err)
		}
		if (event.Type == "ADDED" || event.Type == "MODIFIED") && wanted(event.Object) {
			return nil
		}
	}
}

// ensureNode makes the fake node schedulable. Admission taints a new node until the node lifecycle
// controller has seen it ready; here that controller does not run and the taint is taken off at once.
func (a *api) ensureNode(ctx context.Context, name string) error {
	resources := map[string]string{
		"cpu": "16", "memory": "64Gi", "ephemeral-storage": "256Gi", "pods": "250",
	}
	node := map[string]any{
		"apiVersion": "v1",
		"kind":       "Node",
		"metadata": map[string]any{
			"name":   name,
			"labels": map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
		},
		"status": map[string]any{"allocatable": resources, "capacity": resources},
	}
	body, err := json.Marshal(node)
	if err != nil {
		return err
	}
	err = a.do(ctx, http.MethodPost, "/api/v1/nodes", "application/json", body)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusConflict {
		return nil // from an earlier start
	}
	if err != nil {
		return err
	}
	return a.do(ctx, http.MethodPatch, "/api/v1/nodes/"+name, "application/merge-patch+json",
		[]byte(`{"spec":{"taints":null}}`))
}
