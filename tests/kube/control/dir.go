// Package control starts, stops and ends one Kubernetes control plane, whose programs are
// subcommands of this binary, in a folder of its own:
//
//	admin.kubeconfig    for tests and people, certificates embedded
//	state.json          name, port, whether pods run; written once the port is known
//	pki/                authority, certificates, service account key; made once
//	kubeconfig/         one for each program
//	etcd/, etcd.sock:0    the data and the socket (programs run inside the folder, so its path may be long)
//	logs/PROGRAM.log    what each program printed
//	run/PROGRAM.json    {"pid","start_ticks"} of each running program
//	lock                held by the command that is changing the control plane
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Dir is the absolute path of a control plane's folder.
type Dir string

// State is what has to stay the same from one start to the next.
type State struct {
	Name string `json:"name"`
	Port int    `json:"port"` // of the API server on 127.0.0.1; 0 until the first start
	Pods bool   `json:"pods"` // with scheduler, fake node and fake kubelet
	Sync bool   `json:"sync"` // etcd syncs to disk
}

// node is the name of the fake node.
func (s State) node() string {
	return s.Name + "-node"
}

// namePattern leaves room for "-node" in the 63 bytes of a DNS label.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,55}[a-z0-9])?$`)

// made lists everything this package creates in the folder, for Purge.
var made = []string{
	"admin.kubeconfig", "state.json", "pki", "pki.tmp", "kubeconfig", "etcd", "etcd.sock:0",
	"etcd-peer.sock:0", "logs", "run", ".kube", "lock",
}

// OpenDir makes path absolute; the folder need not exist.
func OpenDir(path string) (Dir, error) {
	if path == "" {
		return "", errors.New("no folder given")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return Dir(abs), nil
}

// Path joins parts to the folder's path.
func (d Dir) Path(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

// AdminKubeconfig is the file that up prints.
func (d Dir) AdminKubeconfig() string { return d.Path("admin.kubeconfig") }

func (d Dir) logPath(program string) string { return d.Path("logs", program+".log") }

// create makes the folder and those below it, for the owner alone.
func (d Dir) create() error {
	for _, sub := range []string{"", "logs", "run", "kubeconfig", "etcd"} {
		if err := os.MkdirAll(d.Path(sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// lock waits until no other command changes this control plane. The kernel drops the lock when this
// process ends; programs do not inherit it.
func (d Dir) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(d.Path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another command is still working on %s", d)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// loadState returns fs.ErrNotExist for a folder that was never up.
func (d Dir) loadState() (State, error) {
	var s State
	raw, err := os.ReadFile(d.Path("state.json"))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("%s: %w", d.Path("state.json"), err)
	}
	if !namePattern.MatchString(s.Name) || s.Port < 0 || s.Port > 65535 {
		return s, fmt.Errorf("%s: name or port makes no sense", d.Path("state.json"))
	}
	return s, nil
}

func (d Dir) saveState(s State) error { return writeJSON(d.Path("state.json"), s) }

// Purge removes what this package made, and the folder if nothing else is left in it.
func (d Dir) purge() error {
	for _, name := range made {
		if err := os.RemoveAll(d.Path(name)); err != nil {
			return err
		}
	}
	err := os.Remove(string(d))
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func writeJSON(path string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeFile(path, append(raw, '\n'))
}

// writeFile replaces path in one step, so that no reader ever sees half of it. Mode 0600.
func writeFile(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
