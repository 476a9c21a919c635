package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	adminUser    = "admin"
	mastersGroup = "system:masters" // bypasses RBAC, as on a cluster made by kubeadm
	certLifetime = 10 * 365 * 24 * time.Hour
	// Tests move the clocks of what they test; our certificates should not be the first to notice.
	certBackdate = 24 * time.Hour
)

// serviceNames are the names and addresses under which pods and people know an API server. 10.96.0.1
// is the first address of the service range.
var (
	serviceNames = []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local",
	}
	serviceAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
)

// authority signs the certificates of one control plane; its key is not kept.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// ensurePKI makes pki/ unless it is there. It is built under another name and renamed last, so a
// folder named pki is complete.
func (d Dir) ensurePKI(name string) error {
	_, err := os.Stat(d.Path("pki"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := d.Path("pki.tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	if err := makePKI(tmp, name); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	return os.Rename(tmp, d.Path("pki"))
}

func makePKI(dir, name string) error {
	ca, err := newAuthority(dir, name)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    serviceNames,
		IPAddresses: serviceAddresses,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := ca.issue("apiserver", server); err != nil {
		return err
	}
	for _, user := range users {
		client := &x509.Certificate{
			Subject:     pkix.Name{CommonName: user.name, Organization: []string{mastersGroup}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		if err := ca.issue(user.file, client); err != nil {
			return err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "service-account.key"), key)
}

func newAuthority(dir, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, key: key}
	a.cert = &x509.Certificate{
		Subject:               pkix.Name{CommonName: name + "-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := a.sign(a.cert, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der)
}

func (a *authority) sign(cert *x509.Certificate, key *ecdsa.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	cert.SerialNumber = serial
	cert.NotBefore = now.Add(-certBackdate)
	cert.NotAfter = now.Add(certLifetime)
	return x509.CreateCertificate(rand.Reader, cert, a.cert, key, a.key)
}

// issue writes dir/file.crt and dir/file.key.
func (a *authority) issue(file string, cert *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := a.sign(cert, &key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(a.dir, file+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(filepath.Join(a.dir, file+".key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

const kubeconfigFormat = `apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: %[1]s
  cluster:
    server: https://127.0.0.1:%[2]d
    certificate-authority-data: %[3]s
users:
- name: %[1]s-%[4]s
  user:
    client-certificate-data: %[5]s
    client-key-data: %[6]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[1]s-%[4]s
`

// writeKubeconfigs writes one for each user; all data is embedded, so the files can be copied.
func (d Dir) writeKubeconfigs(s State) error {
	for _, user := range users {
		var data [3]string
		for i, file := range []string{"ca.crt", user.file + ".crt", user.file + ".key"} {
			raw, err := os.ReadFile(d.Path("pki", file))
			if err != nil {
				return err
			}
			data[i] = base64.StdEncoding.EncodeToString(raw)
		}
		text := fmt.Sprintf(kubeconfigFormat, s.Name, s.Port, data[0], user.file, data[1], data[2])
		path := d.Path("kubeconfig", user.file)
		if user.file == adminUser {
			path = d.AdminKubeconfig()
		}
		if err := writeFile(path, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}
