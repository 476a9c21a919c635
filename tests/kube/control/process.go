package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// These in a program's environment name its folder and itself, so that a program is found even if the
// command that started it was killed before it could write the pid down.
const (
	dirMarker     = "KUBE_CONTROL_PLANE_DIR="
	programMarker = "KUBE_CONTROL_PLANE_PROGRAM="
)

// process is one running program. A pid alone may have been given to somebody else since; the start
// time (field 22 of proc_pid_stat(5)) tells.
type process struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start_ticks"` // clock ticks since boot
}

// startTicks fails for a process that is gone or is a zombie.
func startTicks(pid int) (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command name, field 2, is in parentheses and may hold anything, even a parenthesis.
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return 0, errors.New("unexpected /proc/PID/stat")
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) < 20 {
		return 0, errors.New("unexpected /proc/PID/stat")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func (p process) alive() bool {
	ticks, err := startTicks(p.PID)
	return err == nil && ticks == p.StartTicks
}

// open returns a pidfd of the process, or os.ErrProcessDone. Signals through it cannot hit another.
func (p process) open() (int, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, os.ErrProcessDone
	}
	if err != nil {
		return -1, fmt.Errorf("pidfd_open %d: %w", p.PID, err)
	}
	if !p.alive() {
		_ = unix.Close(fd)
		return -1, os.ErrProcessDone
	}
	return fd, nil
}

// running finds the program by its pid file, else by the marker.
func (d Dir) running(program string) (process, bool) {
	var p process
	raw, err := os.ReadFile(d.pidPath(program))
	if err == nil && json.Unmarshal(raw, &p) == nil && p.PID > 0 && p.alive() {
		return p, true
	}
	for _, stray := range d.strays() {
		if stray.program == program {
			return stray.process, true
		}
	}
	return process{}, false
}

func (d Dir) pidPath(program string) string { return d.Path("run", program+".json") }

type strayProcess struct {
	process
	program string
}

// strays lists every process that carries this folder's marker, recorded or not.
func (d Dir) strays() []strayProcess {
	var found []strayProcess
	paths, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is valid, so no error
	for _, path := range paths {
		environ, err := os.ReadFile(path) // unreadable: another user's, or gone
		if err != nil {
			continue
		}
		if dir, ok := lookUp(environ, dirMarker); !ok || dir != string(d) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		ticks, err := startTicks(pid)
		if err != nil {
			continue
		}
		program, _ := lookUp(environ, programMarker) // "" is no program, but still ours to end
		found = append(found, strayProcess{process{pid, ticks}, program})
	}
	return found
}

// lookUp finds the entry that begins with key, "=" included, in a process's environment.
func lookUp(environ []byte, key string) (value string, ok bool) {
	for _, entry := range bytes.Split(environ, []byte{0}) {
		if value, ok = strings.CutPrefix(string(entry), key); ok {
			return value, true
		}
	}
	return "", false
}

// child is a program this command started.
type child struct {
	process
	program string
	logFrom int64         // where its lines begin in the log
	exited  chan struct{} // closed when it ended
	reason  error         // set before exited is closed
}

// spawn starts a program in a session of its own, so that it outlives this command and its terminal.
func (d Dir) spawn(program string, args []string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(d.logPath(program), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{program}, args...)...)
	cmd.Dir = string(d)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// HOME: client libraries read settings there. GOGC: half the garbage for a tenth more CPU.
	cmd.Env = []string{
		dirMarker + string(d), programMarker + program,
		"HOME=" + string(d), "PATH=/usr/bin:/bin", "GOGC=50",
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{program: program, logFrom: from, exited: make(chan struct{})}
	c.PID = cmd.Process.Pid
	c.StartTicks, err = startTicks(c.PID)
	go func() {
		if c.reason = cmd.Wait(); c.reason == nil {
			c.reason = errors.New("exit status 0")
		}
		close(c.exited)
	}()
	if err == nil {
		err = writeJSON(d.pidPath(program), c.process)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		<-c.exited
		return nil, err
	}
	return c, nil
}

// end asks the processes to end, waits, and kills those still there after the grace period.
func end(procs []process, first syscall.Signal, grace time.Duration) error {
	fds := make([]int, 0, len(procs))
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for _, p := range procs {
		fd, err := p.open()
		if errors.Is(err, os.ErrProcessDone) {
			continue
		}
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	left := fds
	for _, step := range []struct {
		signal syscall.Signal
		grace  time.Duration
	}{{first, grace}, {syscall.SIGKILL, 10 * time.Second}} {
		for _, fd := range left {
			// It may have ended since: then there is nothing to signal.
			_ = unix.PidfdSendSignal(fd, step.signal, nil, 0)
		}
		if left = awaitExit(left, step.grace); len(left) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d processes did not end", len(left))
}

// awaitExit returns those that are still running when the time is over.
func awaitExit(fds []int, limit time.Duration) []int {
	deadline := time.Now().Add(limit)
	for len(fds) > 0 {
		rest := time.Until(deadline)
		if rest <= 0 {
			return fds
		}
		polled := make([]unix.PollFd, len(fds))
		for i, fd := range fds {
			polled[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		}
		if _, err := unix.Poll(polled, int(rest.Milliseconds())+1); err != nil {
			continue // interrupted
		}
		var left []int
		for i := range polled {
			if polled[i].Revents == 0 {
				left = append(left, fds[i])
			}
		}
		fds = left
	}
	return nil
}

// errExited is pollUntil's answer when there is nothing left to wait for.
var errExited = errors.New("exited")

// pollUntil tries a probe again and again until it succeeds; else it returns errExited once exited is
// closed, or the probe's last error once ctx is done. A server in another process has no other way to
// say that it is ready.
func pollUntil(ctx context.Context, exited <-chan struct{}, probe func(context.Context) error) error {
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return err
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// until waits for the child to answer a probe.
func (c *child) until(ctx context.Context, probe func(context.Context) error) error {
	err := pollUntil(ctx, c.exited, probe)
	if errors.Is(err, errExited) {
		return &endedError{c.program, c.reason}
	}
	if err != nil {
		return &notReadyError{c.program, ctx.Err(), err}
	}
	return nil
}

// endedError says that a program did not survive its start.
type endedError struct {
	program string
	reason  error
}

func (e *endedError) Error() string { return fmt.Sprintf("%s ended: %v", e.program, e.reason) }

// notReadyError says that a program runs but was not ready when the wait for it was over.
type notReadyError struct {
	program string
	why     error // context.DeadlineExceeded or context.Canceled
	last    error // what it answered last
}

func (e *notReadyError) Error() string {
	if errors.Is(e.why, context.Canceled) {
		return fmt.Sprintf("interrupted while waiting for %s", e.program)
	}
	return fmt.Sprintf("%s did not become ready in time: %v", e.program, e.last)
}
