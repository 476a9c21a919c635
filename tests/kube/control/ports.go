package control

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// freePort returns a port of 127.0.0.1 that nobody listens on now.
//
// It lies outside the range from which the kernel takes ports for outgoing connections. Otherwise,
// while an API server is stopped, a client that keeps trying to reach it could be given that very port
// for its own end, and would connect to itself. Two commands may still be given the same port, so the
// caller must be ready to find it taken.
func freePort() (int, error) {
	low, high := portRange()
	for range 1000 {
		port := low + rand.IntN(high-low)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1 between %d and %d", low, high)
}

// portRange is below the kernel's own range, else above it, else everything unprivileged.
func portRange() (low, high int) {
	first, last := 32768, 60999 // Linux's default
	if raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(raw), &first, &last); err != nil {
			first, last = 32768, 60999
		}
	}
	const margin = 1000
	switch {
	case first >= 20000+margin:
		return 20000, min(first, 30000) // from 30000 on are Kubernetes' node ports
	case first >= 10000+margin:
		return 10000, first
	case last <= 65535-margin:
		return last + 1, 65536
	}
	return 10000, 65536
}
