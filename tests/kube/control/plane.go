package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	defaultName = "kube"
	portTries   = 20
	endGrace    = 8 * time.Second
	logTail     = 15 // lines
)

// Options are what up may be told. The zero value is a plain control plane named "kube".
type Options struct {
	Name string // of the cluster in the kubeconfig; only the first up decides
	Pods bool   // add scheduler, node and fake kubelet; never taken away again
	Sync bool   // etcd syncs to disk; never taken away again
}

// plane is one command's work on a control plane, under its lock.
type plane struct {
	dir     Dir
	state   State
	started []*child // by this command, in order
	note    func(format string, args ...any)
}

// Up makes what is missing, starts what does not run, and returns when the API server is ready, the
// default ServiceAccount exists and, with pods, the node is ready. On an error everything it started
// has ended again.
func Up(ctx context.Context, dir Dir, opts Options, note func(string, ...any)) error {
	if opts.Name != "" && !namePattern.MatchString(opts.Name) {
		return fmt.Errorf("name %q: lower-case letters, digits and '-', at most 57", opts.Name)
	}
	if err := dir.create(); err != nil {
		return err
	}
	unlock, err := dir.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p := &plane{dir: dir, note: note}
	if err := p.prepare(opts); err != nil {
		return err
	}
	return p.ensure(ctx, wanted(p.state))
}

// Start starts "all" or one program of a control plane that was up before.
func Start(ctx context.Context, dir Dir, what string, note func(string, ...any)) error {
	return change(ctx, dir, note, func(p *plane) error {
		if what == "all" {
			return p.ensure(ctx, wanted(p.state))
		}
		if err := p.knows(what); err != nil {
			return err
		}
		if _, ok := dir.running(Etcd); what == APIServer && !ok {
			return errors.New("etcd is not running: start all")
		}
		return p.ensure(ctx, []string{what})
	})
}

// Manner is how programs end.
type Manner int

const (
	InOrder Manner = iota // asked to, killed after some seconds
	AtOnce                // killed, as by a crash
)

func (m Manner) signal() syscall.Signal {
	if m == AtOnce {
		return syscall.SIGKILL
	}
	return syscall.SIGTERM
}

// Stop ends "all" or one program and keeps everything else. What does not run needs no ending.
func Stop(ctx context.Context, dir Dir, what string, how Manner, note func(string, ...any)) error {
	return change(ctx, dir, note, func(p *plane) error {
		if what == "all" {
			return p.endAll(how)
		}
		if err := p.knows(what); err != nil {
			return err
		}
		return p.endProgram(what, how)
	})
}

// Down ends every program, recorded or not. With purge it also removes what up made. A folder in
// which nothing was ever up is no error: the wish is already fulfilled.
func Down(ctx context.Context, dir Dir, purge bool, note func(string, ...any)) error {
	if _, err := os.Stat(string(dir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(dir.Path("lock")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := dir.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p := &plane{dir: dir, note: note}
	if err := p.endAll(InOrder); err != nil {
		return err
	}
	if err := os.RemoveAll(dir.Path("run")); err != nil {
		return err
	}
	if purge {
		return dir.purge()
	}
	return nil
}

// change runs work on a control plane that was up before.
func change(ctx context.Context, dir Dir, note func(string, ...any), work func(*plane) error) error {
	state, err := dir.loadState()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no control plane here; make one with up", dir)
	}
	if err != nil {
		return err
	}
	if err := dir.create(); err != nil {
		return err
	}
	unlock, err := dir.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return work(&plane{dir: dir, state: state, note: note})
}

func (p *plane) knows(program string) error {
	for _, known := range wanted(p.state) {
		if known == program {
			return nil
		}
	}
	return fmt.Errorf("this control plane has no %q; it has %v", program, wanted(p.state))
}

func (p *plane) prepare(opts Options) error {
	state, err := p.dir.loadState()
	if errors.Is(err, fs.ErrNotExist) {
		state, err = State{Name: opts.Name}, nil
		if state.Name == "" {
			state.Name = defaultName
		}
	}
	if err != nil {
		return err
	}
	if opts.Name != "" && opts.Name != state.Name {
		return fmt.Errorf("%s: this control plane is named %s", p.dir, state.Name)
	}
	state.Pods = state.Pods || opts.Pods
	state.Sync = state.Sync || opts.Sync
	p.state = state
	return p.dir.ensurePKI(state.Name)
}

// ensure starts those of the programs that do not run and waits until all of it is ready.
func (p *plane) ensure(ctx context.Context, programs []string) error {
	err := p.startMissing(ctx, programs)
	if err == nil {
		err = p.awaitReady(ctx, programs)
	}
	if err != nil {
		return p.giveUp(err)
	}
	return p.dir.saveState(p.state)
}

func (p *plane) startMissing(ctx context.Context, programs []string) error {
	for _, program := range programs {
		if _, ok := p.dir.running(program); ok {
			continue
		}
		if err := p.start(ctx, program); err != nil {
			return err
		}
	}
	return nil
}

func (p *plane) start(ctx context.Context, program string) error {
	switch program {
	case Etcd:
		c, err := p.launch(Etcd)
		if err != nil {
			return err
		}
		return c.until(ctx, p.dialEtcd)
	case APIServer:
		return p.startAPIServer(ctx)
	default:
		_, err := p.launch(program)
		return err
	}
}

func (p *plane) launch(program string) (*child, error) {
	c, err := p.dir.spawn(program, arguments(program, p.state))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p.started = append(p.started, c)
	return c, nil
}

// dialEtcd goes through /proc/self/fd, because the path of a socket is limited to 107 bytes.
func (p *plane) dialEtcd(ctx context.Context) error {
	folder, err := os.Open(string(p.dir))
	if err != nil {
		return err
	}
	defer folder.Close()
	var dialer net.Dialer
	path := fmt.Sprintf("/proc/self/fd/%d/etcd.sock:0", folder.Fd())
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}

// startAPIServer finds a port at the first start and keeps to it ever after.
func (p *plane) startAPIServer(ctx context.Context) error {
	for try := 1; ; try++ {
		fixed := p.state.Port != 0
		if !fixed {
			port, err := freePort()
			if err != nil {
				return err
			}
			p.state.Port = port
		}
		err := p.launchAPIServer(ctx)
		var ended *endedError
		if err == nil || !errors.As(err, &ended) || !p.portTaken() {
			return err
		}
		if fixed {
			return fmt.Errorf("another process has taken port %d of this control plane: %w",
				p.state.Port, err)
		}
		if try == portTries {
			return err
		}
		p.note("port %d was taken meanwhile, trying another", p.state.Port)
		p.state.Port = 0
		p.started = p.started[:len(p.started)-1]
	}
}

func (p *plane) launchAPIServer(ctx context.Context) error {
	conn, err := p.dir.dialAPI(p.state.Port)
	if err != nil {
		return err
	}
	defer conn.close()
	c, err := p.launch(APIServer)
	if err != nil {
		return err
	}
	if err := c.until(ctx, conn.ready); err != nil {
		return err
	}
	// It listens, so the port is ours: from here on it is part of the state.
	if err := p.dir.writeKubeconfigs(p.state); err != nil {
		return err
	}
	return p.dir.saveState(p.state)
}

// portTaken reads it from the log of the API server that has just ended.
func (p *plane) portTaken() bool {
	c := p.started[len(p.started)-1]
	return bytes.Contains(p.dir.logSince(c), []byte("address already in use"))
}

// awaitReady waits for what the given programs bring about, and for none of ours to end meanwhile.
func (p *plane) awaitReady(ctx context.Context, programs []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, c := range p.started {
		go func() {
			select {
			case <-c.exited:
				cancel(&endedError{c.program, c.reason})
			case <-ctx.Done():
			}
		}()
	}
	conn, err := p.dir.dialAPI(p.state.Port)
	if err != nil {
		return err
	}
	defer conn.close()
	for _, program := range programs {
		err := p.awaitProgram(ctx, conn, program)
		var ended *endedError
		if errors.As(context.Cause(ctx), &ended) {
			return ended
		}
		if err != nil && ctx.Err() != nil {
			return &notReadyError{program, ctx.Err(), err}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
	}
	return nil
}

func (p *plane) awaitProgram(ctx context.Context, conn *api, program string) error {
	switch program {
	case APIServer:
		// One that ran all the time is not ready at once when etcd has only come back.
		return pollUntil(ctx, nil, conn.ready)
	case ControllerManager:
		return conn.await(ctx, "/api/v1/namespaces/default/serviceaccounts", "default", exists)
	case Kubelet:
		if err := conn.ensureNode(ctx, p.state.node()); err != nil {
			return err
		}
		return conn.await(ctx, "/api/v1/nodes", p.state.node(), conditionReady)
	}
	return nil // etcd was waited for; a scheduler shows by the pods it binds
}

// giveUp ends what this command started and adds the last lines of the log that tells why.
func (p *plane) giveUp(cause error) error {
	procs := make([]process, 0, len(p.started))
	for _, c := range p.started {
		procs = append(procs, c.process)
	}
	if err := end(procs, syscall.SIGTERM, endGrace); err != nil {
		cause = fmt.Errorf("%w; and cleaning up: %v", cause, err)
	}
	for _, c := range p.started {
		_ = os.Remove(p.dir.pidPath(c.program)) // a stale one would not be believed anyway
	}
	program := ""
	var ended *endedError
	var notReady *notReadyError
	if errors.As(cause, &ended) {
		program = ended.program
	} else if errors.As(cause, &notReady) {
		program = notReady.program
	}
	for _, c := range p.started {
		if c.program == program && !errors.Is(cause, context.Canceled) {
			tail := lastLines(p.dir.logSince(c), logTail)
			p.note("last lines of %s:\n%s", p.dir.logPath(program), tail)
		}
	}
	return cause
}

// logSince returns what the child printed, at most the last 64 KiB of it.
func (d Dir) logSince(c *child) []byte {
	const most = 64 << 10
	f, err := os.Open(d.logPath(c.program))
	if err != nil {
		return nil
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	from := max(c.logFrom, size-most)
	text, _ := io.ReadAll(io.NewSectionReader(f, from, size-from)) // as much as can be read
	return text
}

func lastLines(text []byte, count int) []byte {
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-count):], []byte("\n"))
}

func (p *plane) endProgram(program string, how Manner) error {
	proc, ok := p.dir.running(program)
	if !ok {
		p.note("%s was not running", program)
		return nil
	}
	if err := end([]process{proc}, how.signal(), endGrace); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return os.RemoveAll(p.dir.pidPath(program))
}

// endAll ends everything that carries our marker, etcd after its clients, so that none of them spends
// its last seconds looking for it.
func (p *plane) endAll(how Manner) error {
	var stores, clients []process
	for _, stray := range p.dir.strays() {
		if stray.program == Etcd {
			stores = append(stores, stray.process)
		} else {
			clients = append(clients, stray.process)
		}
	}
	for _, group := range [][]process{clients, stores} {
		if err := end(group, how.signal(), endGrace); err != nil {
			return err
		}
	}
	for _, program := range startOrder {
		if err := os.RemoveAll(p.dir.pidPath(program)); err != nil {
			return err
		}
	}
	return nil
}
