// host puts a hub where KubeFed's tests expect theirs.
//
//	host --hub KUBECONFIG --member KUBECONFIG --token FILE --out DIR
//
// Listens on two ports of 127.0.0.1 until it is killed; DIR/ready appears when it does, after these:
//
//	DIR/merged.url, DIR/merged.ca  one API server that is both hub and member, as KubeFed's host cluster is: the kinds of the
//	                               federation are the hub's, all others the member's. Wants the bearer token of FILE.
//	DIR/watched.kubeconfig         the hub, but what KubeFed's own replica scheduler writes is refused: the tests of scheduling
//	                               start one themselves, and it is ours that is to be tested.
//
// Nothing is answered here but discovery, which is joined, and that refusal.
package main

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	bodyMax   = 4 << 20
	scheduler = "-replica-scheduler" // the end of its user agents: pkg/schedulingtypes/plugin.go
	crds      = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
)

// server is one of the two behind.
type server struct {
	*httputil.ReverseProxy
	url    *url.URL
	client http.RoundTripper
}

func open(kubeconfig string) (*server, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	proxy.FlushInterval = -1 // watches
	return &server{proxy, target, transport}, nil
}

// get answers with the JSON document at a path, nil when there is none.
func (s *server) get(path string) map[string]any {
	request, err := http.NewRequest(http.MethodGet, s.url.String()+path, nil)
	if err != nil {
		return nil
	}
	request.Header.Set("Accept", "application/json")
	answer, err := s.client.RoundTrip(request)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var document map[string]any
	if answer.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(answer.Body, bodyMax)).Decode(&document) != nil {
		return nil
	}
	return document
}

// merged is one API server made of two.
type merged struct {
	hub, member *server
	token       []byte
}

// federation says whether a path is that of a kind of the federation, or of the definition of one.
func federation(path string) bool {
	for _, prefix := range []string{"/apis/core.kubefed.io/", "/apis/scheduling.kubefed.io/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	if rest, ok := strings.CutPrefix(path, "/apis/types.kubefed.io/v1beta1/"); ok {
		parts := strings.Split(rest, "/")
		if parts[0] == "namespaces" && len(parts) > 2 {
			parts = parts[2:]
		}
		return strings.HasPrefix(parts[0], "federated")
	}
	return strings.HasPrefix(path, crds+"/federated") || path == "/api/v1/namespaces/kube-federation-system"
}

// joined adds what only the hub has to a list of discovery; nil when the path is none.
func (m *merged) joined(path string) map[string]any {
	list := "resources"
	switch {
	case path == "/apis":
		list = "groups"
	case path != "/apis/types.kubefed.io/v1beta1":
		return nil
	}
	document, other := m.member.get(path), m.hub.get(path)
	if document == nil {
		return other
	}
	items, _ := document[list].([]any)
	more, _ := other[list].([]any)
	known := map[any]bool{}
	for _, item := range items {
		known[item.(map[string]any)["name"]] = true
	}
	for _, item := range more {
		if !known[item.(map[string]any)["name"]] {
			items = append(items, item)
		}
	}
	document[list] = items
	return document
}

// defines reads the name of the definition that a request creates, and leaves the request as it was.
func defines(request *http.Request) string {
	body, err := io.ReadAll(io.LimitReader(request.Body, bodyMax))
	request.Body = io.NopCloser(bytes.NewReader(body))
	var definition struct {
		Metadata struct{ Name string }
	}
	if err != nil || json.Unmarshal(body, &definition) != nil {
		return ""
	}
	return definition.Metadata.Name
}

func (m *merged) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	token := []byte(strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
	if subtle.ConstantTimeCompare(token, m.token) != 1 {
		http.Error(answer, "wrong token", http.StatusUnauthorized)
		return
	}
	request.Header.Del("Authorization") // it is known by its certificates behind this
	path := strings.TrimSuffix(request.URL.Path, "/")
	hub := federation(path+"/") || federation(path)
	if request.Method == http.MethodGet {
		if document := m.joined(path); document != nil {
			answer.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(answer).Encode(document)
			return
		}
	} else if request.Method == http.MethodPost && path == crds {
		hub = strings.HasPrefix(defines(request), "federated")
	}
	if hub {
		m.hub.ServeHTTP(answer, request)
	} else {
		m.member.ServeHTTP(answer, request)
	}
}

// watched refuses what KubeFed's own replica scheduler writes.
func watched(hub *server) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodGet && strings.Contains(request.UserAgent(), scheduler) {
			http.Error(answer, "the hub's own scheduler does this", http.StatusForbidden)
			return
		}
		hub.ServeHTTP(answer, request)
	}
}

// listen serves over TLS; the certificate is its own authority.
func listen(handler http.Handler) (string, []byte) {
	listener := httptest.NewUnstartedServer(handler)
	listener.EnableHTTP2 = true
	listener.StartTLS()
	return listener.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
}

func serve(hubFile, memberFile, tokenFile, out string) error {
	hub, err := open(hubFile)
	if err != nil {
		return err
	}
	member, err := open(memberFile)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	address, ca := listen(&merged{hub, member, bytes.TrimSpace(token)})
	front, frontCA := listen(watched(hub))
	config := clientcmdapi.NewConfig()
	config.Clusters["hub"] = &clientcmdapi.Cluster{Server: front, CertificateAuthorityData: frontCA}
	config.AuthInfos["hub"] = &clientcmdapi.AuthInfo{}
	config.Contexts["hub"] = &clientcmdapi.Context{Cluster: "hub", AuthInfo: "hub"}
	config.CurrentContext = "hub"
	if err = clientcmd.WriteToFile(*config, filepath.Join(out, "watched.kubeconfig")); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"merged.url": []byte(address), "merged.ca": ca} {
		if err = os.WriteFile(filepath.Join(out, name), text, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "ready"), nil, 0o600)
}

func main() {
	hub := flag.String("hub", "", "kubeconfig of the hub")
	member := flag.String("member", "", "kubeconfig of the member")
	token := flag.String("token", "", "file with the token of those who may use the merged server")
	out := flag.String("out", ".", "folder for what this writes")

	flag.Parse()
	if err := serve(*hub, *member, *token, *out); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
	select {}
}
