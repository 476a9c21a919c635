package control

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testDir(t *testing.T) Dir {
	t.Helper()
	d, err := OpenDir(filepath.Join(t.TempDir(), "plane"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.create(); err != nil {
		t.Fatal(err)
	}
	return d
}

// sleeper is a process that ignores SIGTERM, as a program that hangs does.
func sleeper(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `trap "" TERM; echo up; exec sleep 60`)
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func processOf(t *testing.T, pid int) process {
	t.Helper()
	ticks, err := startTicks(pid)
	if err != nil {
		t.Fatal(err)
	}
	return process{pid, ticks}
}

func TestEndKillsWhatDoesNotListen(t *testing.T) {
	p := processOf(t, sleeper(t).Process.Pid)
	if err := end([]process{p}, syscall.SIGTERM, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if p.alive() { // not waited for yet, so this also shows that a zombie counts as dead
		t.Error("still alive")
	}
}

func TestEndSparesAnotherProcessWithThePid(t *testing.T) {
	p := processOf(t, sleeper(t).Process.Pid)
	stale := process{p.PID, p.StartTicks - 1}
	if err := end([]process{stale}, syscall.SIGKILL, time.Second); err != nil {
		t.Fatal(err)
	}
	if !p.alive() {
		t.Error("a process that is not ours was ended")
	}
}

func TestRunningFindsTheUnrecorded(t *testing.T) {
	d := testDir(t)
	cmd := sleeper(t, dirMarker+string(d), programMarker+Etcd)
	if got, ok := d.running(Etcd); !ok || got.PID != cmd.Process.Pid {
		t.Fatalf("found %v, %v", got, ok)
	}
	if _, ok := d.running(APIServer); ok {
		t.Error("one program was taken for another")
	}
	if len((d + "x").strays()) != 0 {
		t.Error("one folder was taken for another")
	}
}

func TestFreePortIsNotTheKernels(t *testing.T) {
	low, high := portRange()
	for range 20 {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		if port < low || port >= high {
			t.Errorf("%d is not in [%d, %d)", port, low, high)
		}
	}
}

func TestLockExcludesUntilReleased(t *testing.T) {
	d := testDir(t)
	unlock, err := d.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.lock(ctx); err == nil {
		t.Fatal("locked twice")
	}
	unlock()
	again, err := d.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestStateRefusesNonsense(t *testing.T) {
	d := testDir(t)
	if _, err := d.loadState(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
	for _, text := range []string{"", "{", `{"name":"A B","port":1}`, `{"name":"a","port":70000}`} {
		if err := os.WriteFile(d.Path("state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := d.loadState(); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
	want := State{Name: "a", Port: 20001, Pods: true, Sync: true}
	if err := d.saveState(want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.loadState(); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
}

func readCertificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s: no PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestPKIVerifiesAndStays(t *testing.T) {
	d := testDir(t)
	if err := d.ensurePKI("a"); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(readCertificate(t, d.Path("pki", "ca.crt")))
	server := readCertificate(t, d.Path("pki", "apiserver.crt"))
	if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}); err != nil {
		t.Error(err)
	}
	admin := readCertificate(t, d.Path("pki", "admin.crt"))
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := admin.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: usages}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(admin.Subject.Organization, ","); got != mastersGroup {
		t.Errorf("organization %q", got)
	}
	if _, err := tls.LoadX509KeyPair(d.Path("pki", "admin.crt"), d.Path("pki", "admin.key")); err != nil {
		t.Error(err)
	}
	if err := d.ensurePKI("a"); err != nil {
		t.Fatal(err)
	}
	if !readCertificate(t, d.Path("pki", "apiserver.crt")).Equal(server) {
		t.Error("a second call made new certificates")
	}
}

func TestPurgeSparesWhatIsNotOurs(t *testing.T) {
	d := testDir(t)
	if err := os.WriteFile(d.Path("notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.purge(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(string(d))
	if err != nil || len(left) != 1 || left[0].Name() != "notes" {
		t.Errorf("left %v, %v", left, err)
	}
}
